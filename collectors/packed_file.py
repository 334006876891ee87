"""One gzip file being read to its end, in place of ``Following`` for files whose name ends in ``.gz``.

Positions count unpacked bytes, so the position of a followed file holds for what it was packed into: whoever rotates
and packs a file changes its identity, not its content. Content is the same when the first kilobyte and the kilobyte
before the position are. A packed file that was read to its end keeps its size in the position and is not unpacked
again until that changes. To resume, what stands before the position is unpacked and dropped. All methods block.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from collectors.cutting import Cutter
from collectors.following import FINGERPRINT_BYTES, HEAD_BYTES, Piece, Recent, stream_of
from collectors.format import Format
from collectors.gunzip import Damaged, Gunzip


def is_packed(path: Path) -> bool:
    """Whether a file is read as gzip: by its name, because it may still be empty."""
    return path.suffix.lower() == ".gz"


class PackedFile:
    """One open gzip file. ``broken`` says why it cannot be read on, empty while it can."""

    def __init__(self, path: Path, form: Format, options: Mapping[str, Any]) -> None:
        self.path = path
        self._form = form
        self._options = dict(options)
        self._file = path.open("rb", buffering=0)
        self.stream = stream_of(os.fstat(self._file.fileno()))
        self.head = self._head()
        self._begin(0, dict(options))
        self._gunzip = Gunzip(self._read_at)

    def _begin(self, at: int, context: dict[str, Any], recent: bytes = b"") -> None:
        self.broken = ""
        self._base = at
        self._cutter = Cutter(self._form, context)
        self._recent = Recent(recent)
        self._unread = b""
        self._met_end = False
        self._whole_bytes = 0

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    @property
    def size(self) -> int:
        """The packed size now."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def unlinked(self) -> bool:
        """Whether no name leads to the file any more."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to read now."""
        return bool(self.broken) or self._is_whole() or (self._met_end and self._gunzip.read_bytes == self.size)

    @property
    def complete(self) -> bool:
        """Whether it ends as a gzip file should (or is empty), or never will."""
        clean = self._gunzip.clean or not self._gunzip.read_bytes
        return bool(self.broken) or self._is_whole() or (self._met_end and clean)

    @property
    def done_bytes(self) -> int:
        """The packed size that was read; as long as the file has it, there is nothing to do."""
        return self.size if self.broken else self._whole_bytes or self._gunzip.read_bytes

    @property
    def context(self) -> dict[str, Any]:
        """What decodes the next record."""
        return self._cutter.context

    def begins_like(self, position: Mapping[str, Any]) -> bool:
        """Whether the file begins with the content that a position remembers."""
        n = min(int(position.get("fingerprint_bytes", 0)), FINGERPRINT_BYTES)
        if not 0 < n <= len(self.head) or sha256(self.head[:n]).hexdigest() != position.get("fingerprint"):
            return False
        return n == FINGERPRINT_BYTES or self.path.name.startswith(Path(position["path"]).name.partition(".")[0])

    def resume(self, position: Mapping[str, Any]) -> bool:
        """Go on at a position of the same content; False (and at the beginning) when it is not the same."""
        if not self.begins_like(position):
            return False
        at = int(position.get("byte", 0))
        if position.get("packed_bytes") and position["packed_bytes"] == self.size:
            self._begin(at, dict(position["context"]))
            self._whole_bytes = self.size
            return True
        rest, recent = self._skip(at)
        if recent is None or Recent(recent).digest(0) != position.get("tail"):
            self._rewind()
            return False
        self._begin(at, self._context_of(position), recent)
        self._unread = rest
        return True

    def skip_to_end(self) -> None:
        """Take everything that is there as read."""
        _, recent = self._skip(None)
        self._begin(self._gunzip.given_bytes, self._context_of_head(), recent or b"")
        self._whole_bytes = self.size

    def _skip(self, at: int | None) -> tuple[bytes, bytes | None]:
        """Unpack up to ``at`` (or the end): what was unpacked behind it, and the last bytes before it.

        The latter is ``None`` where the file does not reach so far.
        """
        self._rewind()
        recent, done = b"", 0
        while at is None or done < at:
            try:
                piece = self._gunzip.next()
            except Damaged:
                piece = b""
            if not piece:
                return b"", recent if at is None else None
            before = piece if at is None else piece[: at - done]
            recent, done = (recent + before)[-FINGERPRINT_BYTES:], done + len(before)
            if len(before) < len(piece):
                return piece[len(before) :], recent
        return b"", recent

    def _rewind(self) -> None:
        self._gunzip = Gunzip(self._read_at)
        self._begin(0, dict(self._options))

    def read(self) -> list[Piece]:
        """The next piece; none at the end, and when the file turns out to be broken."""
        data, self._unread = self._unread, b""
        try:
            data = data or self._gunzip.next()
        except Damaged as damaged:
            self.broken = str(damaged)
        self._met_end = not data
        if not data:
            return []
        found = self._cutter.feed(data)
        self._recent.add(data, self._cutter.held_bytes)
        return [Piece(records=found, position=self.position())]

    def finish(self, torn: bool) -> Piece:
        """The unfinished last record, torn or as it should be: nothing more will come."""
        found = self._cutter.feed(b"", final=True)
        self._whole_bytes = self.done_bytes
        count = sum(len(records.records) for records in found) if torn else 0
        return Piece(records=found, position=self.position(), torn=count)

    def position(self) -> dict[str, Any]:
        """Where to resume from: just after the last whole record, in unpacked bytes."""
        n = min(len(self.head), FINGERPRINT_BYTES)
        return {
            "byte": self._base + self._cutter.consumed,
            "fingerprint": sha256(self.head[:n]).hexdigest(),
            "fingerprint_bytes": n,
            "tail": self._recent.digest(self._cutter.held_bytes),
            "packed_bytes": self._whole_bytes,
            "path": str(self.path),
            "format": self._form.name,
            "options": self._options,
        }

    def _is_whole(self) -> bool:
        return self._whole_bytes > 0 and self._whole_bytes == self.size

    def _context_of(self, position: Mapping[str, Any]) -> dict[str, Any]:
        """The committed context, unless it was made with another format or other options, or nothing was read."""
        made_with = (position.get("format"), position.get("options"))
        if not position.get("byte"):
            return dict(self._options)
        return dict(position["context"]) if made_with == (self._form.name, self._options) else self._context_of_head()

    def _context_of_head(self) -> dict[str, Any]:
        return self._form.cut(self.head, dict(self._options), False).context

    def _head(self) -> bytes:
        """The first unpacked bytes; empty where it is no gzip."""
        gunzip, head = Gunzip(self._read_at), b""
        with suppress(Damaged):
            while len(head) < HEAD_BYTES and (piece := gunzip.next()):
                head += piece
        return head[:HEAD_BYTES]

    def _read_at(self, at: int, n: int) -> bytes:
        return os.pread(self._file.fileno(), n, at)
