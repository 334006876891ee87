"""Syslog over TCP (RFC 6587): octet counting or lines, told apart by how the connection begins.

A connection that begins with a length, a space and ``<`` or ``{`` counts octets; any other one sends lines (what the
source's format cuts). Where a frame must begin and does not, framing is lost: that is counted as torn, and the rest of
the connection is read as lines, so nothing is dropped.
"""

import re
from typing import Any

from collectors.cutting import Cutter, Records
from collectors.format import Format
from collectors.lines import Cut
from soc_model.chunk import RECORD_BYTES, Oversize

_BEGINS_COUNTED = re.compile(rb"[1-9]\d{0,8} [<{]")
_MAY_BE_COUNTED = re.compile(rb"(?:[1-9]\d{0,8} ?)?")
_LENGTH = re.compile(rb"([1-9]\d{0,8}) ")
_BETWEEN = b"\r\n\0"  # some senders end a frame with a line end that they do not count
_ENDS = (b"\r\n", b"\n", b"\0")
_LAST = (b"\n", b"\0")
#: A frame longer than this is a record over ``RECORD_BYTES`` whatever line end it carries.
_WHOLE_BYTES = RECORD_BYTES + 2


class SyslogStream:
    """The records of one connection. ``torn`` counts records that were cut short, and framing that was lost."""

    def __init__(self, form: Format, options: dict[str, Any]) -> None:
        self.torn = 0
        self._form = form
        self._options = dict(options)
        self._head = b""
        self._octets: _OctetCounted | None = None
        self._lines: Cutter | None = None

    @property
    def unfinished(self) -> bool:
        """Whether the beginning of a record waits for its end."""
        if self._octets is not None:
            return self._octets.unfinished
        return self._lines is not None and self._lines.held_bytes > 0

    @property
    def held_bytes(self) -> int:
        """The memory that the record without an end takes."""
        if self._octets is not None:
            return self._octets.held_bytes
        return len(self._lines.rest) if self._lines is not None else len(self._head)

    def feed(self, data: bytes) -> list[Records]:
        """The records that ``data`` completes."""
        if self._lines is not None:
            return self._lines.feed(data)
        if self._octets is None:
            self._head += data
            if _MAY_BE_COUNTED.fullmatch(self._head):
                return []
            data, self._head = self._head, b""
            if not _BEGINS_COUNTED.match(data):
                return self._as_lines(data, self._options)
            self._octets = _OctetCounted(self._form, self._options)
        found = self._octets.feed(data)
        return found + self._without_frames(self._octets) if self._octets.lost else found

    def flush(self, closing: bool = False) -> list[Records]:
        """What there is of a record that has no end yet, counted as torn; with ``closing`` nothing more will come."""
        found: list[Records] = []
        if self._octets is not None:
            found += self._octets.flush()
            if closing:
                found += self._as_lines(self._octets.rest(), self._octets.context)
        elif closing and self._head:
            found += self._as_lines(self._head, self._options)
        if self._lines is not None:
            found += self._lines.feed(b"", final=True)
        self.torn += sum(len(records.records) for records in found)
        return found

    def _without_frames(self, octets: "_OctetCounted") -> list[Records]:
        self.torn += 1
        self._octets = None
        return self._as_lines(octets.rest(), octets.context)

    def _as_lines(self, data: bytes, context: dict[str, Any]) -> list[Records]:
        self._octets = None
        self._lines = Cutter(self._form, dict(context))
        return self._lines.feed(data) if data else []


class _OctetCounted:
    """Frames of ``LENGTH SP MESSAGE`` (RFC 6587 §3.4.1); at most one frame of 1 MiB is held."""

    def __init__(self, form: Format, options: dict[str, Any]) -> None:
        self.lost = False
        self.context = options
        self._form = form
        self._begun = False
        self._buffer = bytearray()
        self._missing = 0  # bytes of the frame that are not in a record yet
        self._long: Cutter | None = None

    @property
    def unfinished(self) -> bool:
        return self._missing > 0 and bool(self._buffer or self._long)

    @property
    def held_bytes(self) -> int:
        return len(self._buffer) + (len(self._long.rest) if self._long is not None else 0)

    def feed(self, data: bytes) -> list[Records]:
        self._buffer += data
        records: list[bytes] = []
        oversize: dict[int, Oversize] = {}
        while self._missing or self._begin_frame():
            found = self._frame()
            if found is None:
                break
            self._add(found, records, oversize)
        return [Records(records, oversize, self.context)] if records else []

    def flush(self) -> list[Records]:
        """What came of the frame so far; what still comes of it is a record of its own."""
        records: list[bytes] = []
        oversize: dict[int, Oversize] = {}
        if self.unfinished:
            self._missing -= len(self._buffer)
            self._add(self._piece(self.rest(), final=True), records, oversize)
        return [Records(records, oversize, self.context)] if records else []

    def rest(self) -> bytes:
        """The bytes that are in no frame."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _begin_frame(self) -> bool:
        """Read a length; false when it is not all there, or is none."""
        if self._buffer and self._buffer[0] in _BETWEEN:
            self._buffer = self._buffer.lstrip(_BETWEEN)
        found = _LENGTH.match(self._buffer)
        if found is None:
            self.lost = not _MAY_BE_COUNTED.fullmatch(self._buffer)
            return False
        self._missing = int(found[1])
        del self._buffer[: found.end()]
        return True

    def _frame(self) -> list[Records] | None:
        """The whole frame, or ``None``; of a frame that is too long what came of it is handed on at once."""
        if self._long is None and self._missing <= _WHOLE_BYTES:
            if len(self._buffer) < self._missing:
                return None
        elif not self._buffer:
            return None
        n = min(self._missing, len(self._buffer))
        piece = bytes(self._buffer[:n])
        del self._buffer[:n]
        self._missing -= n
        if self._long is None and n <= RECORD_BYTES and not self._missing:  # nearly every frame
            return [Records(_without_end(piece), {}, {})]
        found = self._piece(piece, final=not self._missing)
        return found if not self._missing else None

    def _piece(self, piece: bytes, final: bool) -> list[Records]:
        cutter = self._long or Cutter(_OneRecord(), {})
        self._long = None if final else cutter
        return cutter.feed(piece, final)

    def _add(self, found: list[Records], records: list[bytes], oversize: dict[int, Oversize]) -> None:
        for one in found:
            if one.oversize:
                oversize.update((len(records) + i, known) for i, known in one.oversize.items())
            records += one.records
        if records and not self._begun:
            # What the format learns from the beginning of a stream, such as its codec.
            self.context = self._form.cut(records[0], dict(self.context), True).context
            self._begun = True


class _OneRecord:
    """All that is fed is one record, without one line end."""

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        if not final:
            return Cut([], data, context)
        return Cut(_without_end(data), b"", context)


def _without_end(data: bytes) -> list[bytes]:
    """The record without one line end; none when there is nothing else."""
    if data[-1:] in _LAST:
        data = data.removesuffix(next(end for end in _ENDS if data.endswith(end)))
    return [data] if data else []
