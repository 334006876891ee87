"""A gzip file undone piece by piece, so that neither its size nor its ratio becomes memory.

Comes in: a function that reads on in the file. Goes out: pieces of at most ``PIECE_BYTES``. A file may hold several
members and zero padding; one that ends too early can be read on when it has grown.
"""

import zlib
from collections.abc import Callable

PIECE_BYTES = 256 * 1024
INPUT_BYTES = 64 * 1024
RATIO = 300  # logs reach 10 to 100; a bomb is near 1,000
RATIO_FREE_BYTES = 64 * 1024 * 1024  # below this the ratio does not matter


class Damaged(Exception):
    """What cannot be undone: no gzip, a wrong checksum, or far too much out of too little."""


class Gunzip:
    """Undoes one file. ``clean`` tells whether the end that was met is the end of a member."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        """``read(at, n)`` gives at most ``n`` bytes of the file."""
        self._read = read
        self._member: zlib._Decompress | None = None
        self._input = b""
        self._more = False  # the member may have output that needs no input
        self._any = False
        self.read_bytes = 0
        self.given_bytes = 0

    @property
    def clean(self) -> bool:
        """Whether no member is unfinished, and there was one."""
        return self._any and self._member is None

    def next(self) -> bytes:
        """The next piece; empty at the end of what is there. Raises ``Damaged``."""
        while True:
            if not self._input and not self._more:
                self._input = self._read(self.read_bytes, INPUT_BYTES)
                self.read_bytes += len(self._input)
                if not self._input:
                    return b""
            if piece := self._undo():
                self.given_bytes += len(piece)
                self._check_ratio()
                return piece

    def _undo(self) -> bytes:
        """What the input at hand gives; it may be nothing yet."""
        if self._member is None:
            self._input = self._input.lstrip(b"\0") if self._any else self._input
            if not self._input:
                return b""
            self._member, self._any = zlib.decompressobj(wbits=31), True
        member = self._member
        try:
            piece = member.decompress(self._input, PIECE_BYTES)
        except zlib.error as error:
            raise Damaged(f"no gzip from here on: {error}") from error
        self._input, self._more = member.unconsumed_tail, len(piece) == PIECE_BYTES
        if member.eof:
            self._input, self._more, self._member = member.unused_data, False, None
        return piece

    def _check_ratio(self) -> None:
        if self.given_bytes > RATIO_FREE_BYTES and self.given_bytes > RATIO * self.read_bytes:
            raise Damaged(f"unpacks to more than {RATIO} times its size")
