"""Blocks of events ready to be sent: rendered once, so that only a number and a time are put in for each sending.

Comes in: lines with two marks in them. Goes out: bytes in which every line has an id that no other line has.
The one thing to know: an id is ``u`` + 10 digits of the block's number + ``x`` + 4 digits of the line in the block, so
a generator only says how many blocks it sent, and a count by block finds every line that is lost or doubled.
"""

import time
from collections.abc import Sequence

NUMBER = b"@@@@@@@@@@"  # becomes the block's number, 10 digits
LINES = 10_000  # at most in one block
#: Marks of the time of sending, each replaced by text of its own length.
BSD = b"#BSD-TIME-MARK#"
ISO = b"#ISO-TIME-SECONDS-#"
SPACED = b"#SPACED-TIME-MARK-#"
ID_PATTERN = "u([0-9]{10})x([0-9]{4})"


def uid(line: int) -> bytes:
    """The unique id of the ``line``th line of a block, still with the mark for the block's number."""
    return b"u%sx%04d" % (NUMBER, line)


class Block:
    """Rendered lines; ``filled`` gives them with the block's number and the time in place."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        if not 0 < len(lines) <= LINES:
            raise ValueError(f"a block has 1 to {LINES} lines, not {len(lines)}")
        self.lines = len(lines)
        self._marked = b"".join(lines)
        self._second = -1
        self._timed = b""

    def filled(self, number: int, now_s: float) -> bytes:
        """The block as the ``number``th one sent at ``now_s`` (seconds since the epoch)."""
        if int(now_s) != self._second:
            self._second = int(now_s)
            self._timed = timed(self._marked, self._second)
        return self._timed.replace(NUMBER, b"%010d" % number)


def timed(marked: bytes, second: int) -> bytes:
    """The text with the time of that second (UTC) in place of the marks."""
    utc = time.gmtime(second)
    bsd = f"{time.strftime('%b', utc)} {utc.tm_mday:2} {time.strftime('%H:%M:%S', utc)}".encode()
    iso = time.strftime("%Y-%m-%dT%H:%M:%S", utc).encode()
    return marked.replace(BSD, bsd).replace(ISO, iso).replace(SPACED, iso.replace(b"T", b" "))


def framed(line: bytes) -> bytes:
    """The line as an octet-counted frame (RFC 6587 §3.4.1); marks keep their length, so the count stays right."""
    return b"%d %s" % (len(line), line)
