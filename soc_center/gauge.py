"""Live gauges: each process replaces one small JSON file in the run folder every second."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """What one process says of itself: ``values`` are its own numbers, ``at`` when it said so (µs)."""

    process: str
    pid: int
    started: int
    at: int
    values: dict[str, Any] = {}


class GaugeFile:
    """Writes one process's gauge, at most once a second."""

    def __init__(self, run: Path, process: str) -> None:
        self._path = run / f"{process}.json"
        self._process = process
        self._started = now_us()
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether ``set`` would replace the file now: values that cost something need not be gathered before."""
        return time.monotonic() >= self._next

    def set(self, *, force: bool = False, **values: Any) -> None:
        """Replace the file with these values, unless it was replaced less than a second ago."""
        if not force and not self.due:
            return
        self._next = time.monotonic() + 1.0
        gauge = Gauge(process=self._process, pid=os.getpid(), started=self._started, at=now_us(), values=values)
        temporary = self._path.with_suffix(".json.new")
        # A full disk must not end the process whose gauge this is.
        with contextlib.suppress(OSError):
            temporary.write_bytes(msgspec.json.encode(gauge))
            temporary.replace(self._path)


def read_gauge(run: Path, process: str) -> Gauge | None:
    """The last gauge of a process; None when there is none or it cannot be read."""
    try:
        return msgspec.json.decode((run / f"{process}.json").read_bytes(), type=Gauge)
    except (OSError, msgspec.MsgspecError):
        return None


def done_through(run: Path) -> int:
    """The offset up to which everything is sealed and triaged, as those two processes last said; 0 if unknown.

    Both are behind the truth at worst, so what is at or below it may be removed. A process that does not run says
    nothing: its gauge may be of an earlier life, before a state or an archive was lost or brought back from a backup.
    """
    archiver, triage = read_gauge(run, "archiver"), read_gauge(run, "triage")
    if archiver is None or triage is None or not (is_running(archiver.pid) and is_running(triage.pid)):
        return 0
    return min(int(archiver.values.get("sealed_through", 0)), int(triage.values.get("cursor", 0)))


def is_running(pid: int) -> bool:
    """Whether a process of that id is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def forget_gauges(run: Path) -> None:
    """Remove the gauges of an earlier life, before any process of this one starts."""
    for path in run.glob("*.json"):
        path.unlink(missing_ok=True)


def now_us() -> int:
    """The present time in microseconds UTC: the one clock of the center's processes."""
    return time.time_ns() // 1000
