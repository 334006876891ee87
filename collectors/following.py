"""One file being read: where it is, what it is recognised by, and its whole records.

A stream is a file's identity (device and inode), so a renamed file goes on where it was. The position keeps a
fingerprint of the file's first bytes: an inode that was given to another file, or a file that was emptied and written
again, begins anew; and one of the kilobyte before the position, by which the content is known where it was packed
(``collectors.packed_file``). It keeps the format and options too that its context was made with: when they were
corrected, the context is made anew. Methods that read block and are meant for a thread.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from collectors.cutting import Cutter, Records
from collectors.format import Format
from soc_model.chunk import RECORD_BYTES

PIECE_BYTES = 256 * 1024
FINGERPRINT_BYTES = 1024
HEAD_BYTES = 4096


def stream_of(status: os.stat_result) -> str:
    """A file's identity as a stream name."""
    return f"{status.st_dev}:{status.st_ino}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one read gave: records (perhaps none) and the position just after the last of them.

    ``torn`` of them are unfinished: nothing more comes, because the file was truncated or is not written any more.
    """

    records: list[Records]
    position: dict[str, Any]
    torn: int = 0
    ended: bool = False  # the file begins anew after this


class Recent:
    """The last bytes that were read, as far back as needed to recognise the content before a position."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    def add(self, data: bytes, held_bytes: int) -> None:
        """Read on; ``held_bytes`` of it belong to a record that has not ended."""
        self._data = (self._data + data)[-(min(held_bytes, RECORD_BYTES) + FINGERPRINT_BYTES) :]

    def digest(self, held_bytes: int) -> str:
        """The SHA-256 of the last kilobyte before the record that has not ended."""
        end = max(0, len(self._data) - held_bytes)
        return sha256(self._data[max(0, end - FINGERPRINT_BYTES) : end]).hexdigest()


class Following:
    """One open file. ``at`` is where the next read begins."""

    def __init__(self, path: Path, form: Format, options: Mapping[str, Any]) -> None:
        self.path = path
        self._form = form
        self._options = dict(options)
        self._file = path.open("rb", buffering=0)
        self.stream = stream_of(os.fstat(self._file.fileno()))
        self._begin(0, dict(options))

    def _begin(self, at: int, context: dict[str, Any]) -> None:
        self.at = at
        self._base = at
        self._cutter = Cutter(self._form, context)
        self._known = b""
        start = max(0, at - FINGERPRINT_BYTES)
        self._recent = Recent(self._read_at(start, at - start))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def resume(self, position: Mapping[str, Any]) -> bool:
        """Go on at a committed position; False (and at the beginning) when this is not the same file any more."""
        n, at = int(position.get("fingerprint_bytes", 0)), int(position.get("byte", 0))
        head = self._read_at(0, min(n, FINGERPRINT_BYTES))
        if self.size < at or len(head) < n or sha256(head).hexdigest() != position.get("fingerprint"):
            return False
        self._begin(at, self._context_of(position) if at else dict(self._options))
        self._known = head
        return True

    def _context_of(self, position: Mapping[str, Any]) -> dict[str, Any]:
        """The committed context, unless it was made with another format or other options."""
        name, options = position.get("format", self._form.name), position.get("options", self._options)
        if (name, options) != (self._form.name, self._options):
            return self._context_of_head()
        return dict(position["context"])

    def _context_of_head(self) -> dict[str, Any]:
        return self._form.cut(self._read_at(0, HEAD_BYTES), dict(self._options), False).context

    def skip_to_end(self) -> None:
        """Begin with what is written from now on."""
        self._begin(self.size, self._context_of_head())
        self._known = self._read_at(0, min(self.at, FINGERPRINT_BYTES))

    @property
    def size(self) -> int:
        """The file's size now."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to read now."""
        return self.size == self.at

    @property
    def unlinked(self) -> bool:
        """Whether no name leads to the file any more."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    @property
    def context(self) -> dict[str, Any]:
        """What decodes the next record."""
        return self._cutter.context

    def read(self) -> list[Piece]:
        """The next piece, and before it the torn end of what was there when the file was truncated or rewritten."""
        pieces = []
        if self._was_rewritten():
            pieces.append(replace(self.finish(torn=True), ended=True))
            self._begin(0, dict(self._options))
        return [*pieces, self._next()]

    def _was_rewritten(self) -> bool:
        """Whether the file was truncated, or its beginning is not what was read."""
        return self.size < self.at or self._read_at(0, len(self._known)) != self._known

    def _next(self) -> Piece:
        data = self._read_at(self.at, PIECE_BYTES)
        if len(self._known) < FINGERPRINT_BYTES:
            self._known = self._read_at(0, FINGERPRINT_BYTES)
        self.at += len(data)
        found = self._cutter.feed(data)
        self._recent.add(data, self._cutter.held_bytes)
        return Piece(records=found, position=self.position())

    def finish(self, torn: bool) -> Piece:
        """The unfinished last record, torn or as it should be: nothing more will come."""
        found = self._cutter.feed(b"", final=True)
        return Piece(
            records=found,
            position=self.position(),
            torn=sum(len(records.records) for records in found) if torn else 0,
        )

    def position(self) -> dict[str, Any]:
        """Where to resume from: just after the last whole record."""
        return {
            "byte": self._base + self._cutter.consumed,
            "fingerprint": sha256(self._known).hexdigest(),
            "fingerprint_bytes": len(self._known),
            "tail": self._recent.digest(self._cutter.held_bytes),
            "path": str(self.path),
            "format": self._form.name,
            "options": self._options,
        }

    def _read_at(self, at: int, n: int) -> bytes:
        return os.pread(self._file.fileno(), n, at) if n else b""
