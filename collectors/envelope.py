"""JSON records inside an envelope: the objects of a list that is a whole file or one line, each a record of its own.

``{"Records": [{...}, {...}]}`` as object stores and queues hold them, ``{"value": [...]}`` as web services answer, or a
bare ``[...]``; NDJSON and envelopes may follow each other. What stands around the objects is dropped; bytes of a record
stay as received. Where a stream ends inside a list, ``context["inside"]`` says so.
"""

import json
import re
from typing import Any

from collectors.lines import Cut, cut_lines

_SCALAR = rb'(?:"(?:[^"\\]|\\.){0,4096}"|[-+.\w]{1,64})'
_SPACE = re.compile(rb"[\s\x00]*")
_BETWEEN = re.compile(rb"[\s,\x00]*")
_REST_OF_ENVELOPE = re.compile(
    rb"\](?:\s*,\s*" + _SCALAR + rb"\s*:\s*" + _SCALAR + rb")*\s*\}|\](?=\s*[\[{])"  # an object's end, or a bare list's
)
_END = re.compile(rb"\]\s*\Z")
_DECODER = json.JSONDecoder(strict=False)
_WAITS = 64 * 1024  # an envelope's beginning is no longer


class Envelope:
    """Cuts lines of JSON, and envelopes whose list has one of the names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        listed = b"|".join(re.escape(name.encode()) for name in names)
        scalars = rb"(?:" + _SCALAR + rb"\s*:\s*" + _SCALAR + rb"\s*,\s*)*"
        self._begins = re.compile(rb"\{\s*" + scalars + rb'"(?:' + listed + rb')"\s*:\s*\[|\[(?=\s*\{|\s*\])')

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        """The whole objects and lines of ``data``."""
        if not context.get("started"):
            if len(data) < 4 and not final:
                return Cut([], data, context)
            context = {**cut_lines(data, context, True).context}
        if context.get("codec") != "utf-8":
            return cut_lines(data, context, final)
        return _Cutting(self, data, context, final).run()

    def begins(self, data: bytes, at: int) -> int:
        """Where the list's first object may stand if an envelope begins here; -1 when none does."""
        found = self._begins.match(data, at)
        return found.end() if found else -1


class _Cutting:
    """One call of ``cut``."""

    def __init__(self, envelope: Envelope, data: bytes, context: dict[str, Any], final: bool) -> None:
        self._envelope, self._data, self._final = envelope, data, final
        self._context = dict(context)
        self._text = data.decode("latin-1")  # a character a byte, so that places agree
        self._at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        self._records: list[bytes] = []

    def run(self) -> Cut:
        while self._step():
            pass
        rest = self._data[self._at :]
        if self._final and rest:
            if kept := rest.strip(b" \t\r\n,"):
                self._records.append(kept)
            rest = b""
        return Cut(self._records, rest, self._context)

    def _step(self) -> bool:
        """Go on by one object, line, or bracket; whether there is more to do."""
        skip = _BETWEEN if self._context.get("inside") else _SPACE
        found = skip.match(self._data, self._at)
        at = found.end() if found else self._at
        if at >= len(self._data):
            self._at = at
            return False
        return self._inside(at) if self._context.get("inside") else self._line(at)

    def _line(self, at: int) -> bool:
        first = self._envelope.begins(self._data, at)
        if first >= 0:
            self._at, self._context["inside"] = first, True
            return True
        end = self._data.find(b"\n", at)
        if end < 0 or not (self._final or self._is_line(at, end)):
            self._at = at
            return False
        self._take(at, end)
        self._at = end + 1
        return True

    def _is_line(self, at: int, end: int) -> bool:
        """Whether what begins here is a line of its own, and not an envelope whose list is yet to come."""
        opened = self._data[at : at + 1] in (b"{", b"[") and not self._data[at:end].rstrip().endswith(b"}")
        return not opened or len(self._data) - at > _WAITS

    def _inside(self, at: int) -> bool:
        if self._data[at : at + 1] == b"]":
            return self._leave(at)
        try:
            end = _DECODER.raw_decode(self._text, at)[1]
        except (ValueError, RecursionError):
            self._at = at
            return False
        self._take(at, end)
        self._at = end
        return True

    def _leave(self, at: int) -> bool:
        found = _REST_OF_ENVELOPE.match(self._data, at) or (_END.match(self._data, at) if self._final else None)
        if found is None and len(self._data) - at <= _WAITS:
            self._at = at
            return False
        self._at = found.end() if found else at + 1
        del self._context["inside"]
        return True

    def _take(self, at: int, end: int) -> None:
        if record := self._data[at:end].strip(b"\r \t\0"):
            self._records.append(record)
