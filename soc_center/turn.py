"""Whose turn it is to detect: at most one process is next in line, and the one at work sees that it is.

A successor takes the place once it could begin at once. The place is an flock, so it is free again however its holder
ends, and the process at work then simply goes on.
"""

import fcntl
import os
from pathlib import Path


class NextInLine:
    """The one place of a successor, as its holder and as the process at work see it."""

    def __init__(self, run: Path) -> None:
        self._descriptor = os.open(run / "detect.next", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Whether the place is ours now; it may have to be tried again, because looking at it takes it for a moment."""
        return self._lock(fcntl.LOCK_EX)

    def taken(self) -> bool:
        """Whether another process is ready to follow."""
        if not self._lock(fcntl.LOCK_SH):
            return True
        self.leave()
        return False

    def leave(self) -> None:
        """Make the place free again."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave, and look no more."""
        os.close(self._descriptor)

    def _lock(self, kind: int) -> bool:
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
