"""``fengsui up``: starts every process of the center, restarts what falls, stops all cleanly on SIGTERM.

Each child has a leash: its standard input is a pipe that ends when the supervisor does, so nothing is left running.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile
from soc_center.life import LEASH, Life

PROCESSES = ("collect", "detect", "triage", "archiver", "serve", "schedule", "work")
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 30.0
STOP_S = 10.0
LOG_BYTES = 8 << 20


@dataclass(slots=True)
class Child:
    """One supervised process: how it is started, and how it has fared."""

    name: str
    arguments: Sequence[str]
    once: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    falls: int = 0
    due: float = 0.0
    restarts: int = 0
    code: int | None = None

    @property
    def running(self) -> bool:
        return self.process is not None


@dataclass(slots=True)
class Supervisor:
    """The children of one data directory."""

    folder: DataFolder
    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)

    def add(self, name: str, *arguments: str, once: bool = False) -> None:
        """One more process; ``once`` is not started again when it ends."""
        self.children.append(Child(name, arguments, once))

    def run(self, each_tick: Callable[[], None]) -> None:
        """Keep all children running until SIGTERM; ``each_tick`` is called about five times a second."""
        life = Life(self.folder.run, "up")
        gauge = GaugeFile(self.folder.run, "up")
        try:
            while not life.stopping:
                for child in self.children:
                    self._look_after(child)
                each_tick()
                gauge.set(pids=self.pids(), restarts={child.name: child.restarts for child in self.children})
                life.wait(0.2)
        finally:
            self.stop()

    def pids(self) -> dict[str, int]:
        """The process id of each running child."""
        return {child.name: child.process.pid for child in self.children if child.process is not None}

    def _look_after(self, child: Child) -> None:
        if child.process is None:
            if child.code is None and time.monotonic() >= child.due:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        child.process = None
        if child.once:
            child.code = code
            return
        steady = time.monotonic() - child.started > STEADY_S
        child.falls = 0 if steady else child.falls + 1
        child.restarts += 1
        child.due = time.monotonic() + _wait_s(child.falls)
        when = f"again in {_wait_s(child.falls):g} s"
        self.say(f"{child.name} ended ({_ending(code)}); {when}; see {self.folder.log / child.name}.log")

    def _start(self, child: Child) -> None:
        try:
            self._spawn(child)
        except OSError as error:  # no room, no memory, no processes left: as if it had fallen at once
            child.falls += 1
            child.due = time.monotonic() + _wait_s(child.falls)
            self.say(f"{child.name} cannot start ({error.strerror}); again in {_wait_s(child.falls):g} s")

    def _spawn(self, child: Child) -> None:
        with _log(self.folder.log / f"{child.name}.log") as log:
            child.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", *child.arguments, "--data", str(self.folder.root)],
                stdin=subprocess.PIPE,
                stdout=None if child.once else log,
                stderr=None if child.once else log,
                env={**os.environ, LEASH: "1"},
                start_new_session=True,
            )
        child.started = time.monotonic()

    def stop(self) -> None:
        """Ask every child to end; kill what has not after ten seconds."""
        for child in self.children:
            if child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for child in self.children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} did not stop in {STOP_S:g} s; killed")
                child.process.kill()
                child.process.wait()
            child.process = None


def _wait_s(falls: int) -> float:
    return BACK_OFF_S[min(falls, len(BACK_OFF_S) - 1)]


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _log(path: Path) -> IO[bytes]:
    """The log file opened to append; one over 8 MiB is put aside first, replacing the one put aside before."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
