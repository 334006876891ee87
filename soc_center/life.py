"""How a process of the center lives: it waits for its bell, and ends on SIGTERM or when its supervisor is gone."""

import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from soc_center.wake import drain, open_bell

LEASH = "FENGSUI_LEASH"  # set by the supervisor: standard input is a pipe that ends when the supervisor does


class Life:
    """The stop flag and the waiting of one process; ``wait`` returns early when there is a reason to look."""

    def __init__(self, run: Path, process: str) -> None:
        self.stopping = False
        self._bell = open_bell(run, process)
        self._reads = [self._bell]
        self._wakeup, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._reads.append(self._wakeup)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        if leashed():
            os.set_blocking(0, False)
            self._reads.append(0)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def wait(self, timeout_s: float, reads: Sequence[int] = (), writes: Sequence[int] = ()) -> set[int]:
        """The descriptors among ``reads`` and ``writes`` that are ready; empty after a wake-up or the time-out."""
        if self.stopping:
            return set()
        readable, writable, _ = select.select([*self._reads, *reads], writes, [], timeout_s)
        for fd in (self._bell, self._wakeup):
            if fd in readable:
                drain(fd)
        if 0 in readable and leashed() and leash_gone():
            self.stopping = True
        return {fd for fd in (*readable, *writable) if fd not in self._reads}


def leashed() -> bool:
    """Whether a supervisor holds this process."""
    return LEASH in os.environ


def leash_gone() -> bool:
    """Whether the supervisor at the other end of standard input has ended."""
    try:
        return os.read(0, 64) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def say(text: str) -> None:
    """Write one line to the process's log (standard error)."""
    print(text, file=sys.stderr, flush=True)
