"""A format's ``cut`` on a stream: pieces of bytes in, whole records out, memory bounded whatever comes.

Keeps the incomplete remainder between pieces. A record over ``RECORD_BYTES`` keeps its first ``KEPT_BYTES``, its length
and the SHA-256 of the whole, also when it is larger than memory.
"""

from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from collectors.lines import Cut
from soc_model.chunk import KEPT_BYTES, RECORD_BYTES, Digest, Oversize

#: Bytes of an oversize record held back to find its end: enough that a format sees a line that is not empty, and a
#: multiple of four, so that wide characters stay aligned.
TAIL_BYTES = 64


class Cutting(Protocol):
    """What finds the records of a stream: a format, or a framing of its own."""

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut: ...


class Records(NamedTuple):
    """Whole records in order, what is known of the oversize ones by index, and the context that decodes them."""

    records: list[bytes]
    oversize: dict[int, Oversize]
    context: dict[str, Any]


class Cutter:
    """Cuts one stream. ``consumed`` is the position where the incomplete remainder begins: where to resume from.

    ``consumed + held_bytes`` is always the number of bytes fed.
    """

    def __init__(self, form: Cutting, context: dict[str, Any]) -> None:
        self._format = form
        self._long: _LongRecord | None = None
        self.context = context
        self.rest = b""
        self.consumed = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of the record that has not ended yet."""
        return len(self.rest) + (self._long.length_bytes if self._long else 0)

    def feed(self, data: bytes, final: bool = False) -> list[Records]:
        """The records that ``data`` completes; with ``final`` also the unfinished last one. Empty when none."""
        total = self.consumed + self.held_bytes + len(data)
        cut = self._format.cut(self.rest + data if self.rest else data, self.context, final)
        self.context, self.rest = cut.context, cut.rest
        found = _bounded(cut.records, self._ended(cut.records))
        if len(self.rest) > RECORD_BYTES or (self._long and self.rest):
            self._swallow()
        self.consumed = total - self.held_bytes
        return [Records(cut.records, found, self.context)] if cut.records else []

    def _ended(self, records: list[bytes]) -> "_LongRecord | None":
        """The long record, if the first of ``records`` is its end."""
        if not records or self._long is None:
            return None
        ended, self._long = self._long, None
        return ended

    def _swallow(self) -> None:
        """Keep only what must be kept of a record that is too long and goes on."""
        self._long = self._long or _LongRecord()
        end = max(0, len(self.rest) - TAIL_BYTES) & ~3
        self._long.add(self.rest[:end])
        self.rest = self.rest[end:]


class _LongRecord:
    """The beginning, the length and the running digest of a record that is not kept whole."""

    def __init__(self) -> None:
        self.kept = b""
        self.length_bytes = 0
        self._digest = sha256()

    def add(self, data: bytes) -> None:
        self.kept += data[: KEPT_BYTES - len(self.kept)]
        self.length_bytes += len(data)
        self._digest.update(data)

    def oversize(self) -> Oversize:
        return Oversize(length_bytes=self.length_bytes, digest=Digest(alg="sha256", hex=self._digest.hexdigest()))


def _bounded(records: list[bytes], ended: _LongRecord | None) -> dict[int, Oversize]:
    """Replace every record over ``RECORD_BYTES`` in place by what is kept of it; what is known of each, by index."""
    found: dict[int, Oversize] = {}
    for i, record in enumerate(records):
        if not (i == 0 and ended) and len(record) <= RECORD_BYTES:
            continue
        whole = ended if i == 0 and ended else _LongRecord()
        whole.add(record)
        records[i] = whole.kept
        found[i] = whole.oversize()
    return found
