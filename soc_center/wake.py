"""Wake-ups between processes: one byte into a named pipe of the run folder; losing one costs a poll, never data."""

import os
import stat
from pathlib import Path


def wake(run: Path, process: str) -> None:
    """Tell a process that there may be work; does nothing when it is not there or was told already."""
    try:
        fd = os.open(run / f"{process}.wake", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        os.write(fd, b"!")
    except OSError:
        pass
    finally:
        os.close(fd)


def open_bell(run: Path, process: str) -> int:
    """A non-blocking descriptor that becomes readable when the process is woken."""
    path = run / f"{process}.wake"
    if not (path.exists() and stat.S_ISFIFO(path.stat().st_mode)):
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
    # Read and write: a pipe without any writer would be readable (end of file) all the time.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def drain(fd: int) -> None:
    """Take all waiting bytes off a bell."""
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
