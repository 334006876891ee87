"""``fengsui up``: starts every process of the center, restarts what falls, stops all cleanly on SIGTERM.

Detection never changes its rules: when they are others, a successor is started beside it, and follows it once ready.

Each child has a leash: its standard input is a pipe that ends when the supervisor does, so nothing is left running.
"""

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, read_gauge
from soc_center.life import LEASH, Life
from soc_center.reload_report import Result, asked, forget, is_asked, last_report, tell
from soc_center.rule_watch import RuleWatch

PROCESSES = ("collect", "detect", "triage", "archiver", "serve", "schedule", "work")
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 30.0
STOP_S = 10.0
LOG_BYTES = 8 << 20
SUCCESSOR = "detect"  # the process that is replaced while it runs
RETRY_S = 10.0  # after a successor that fell
SUCCESSOR_S = 300.0  # so long a successor may take to load and to follow


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
    successor: "subprocess.Popen[bytes] | None" = None
    succeeding: float = 0.0
    handovers: int = 0

    @property
    def running(self) -> bool:
        return self.process is not None

    def processes(self) -> "list[subprocess.Popen[bytes]]":
        """Itself and its successor, as far as they are there."""
        return [each for each in (self.successor, self.process) if each is not None]


@dataclass(slots=True)
class Supervisor:
    """The children of one data directory."""

    folder: DataFolder
    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)
    reload_due: float = math.inf

    def add(self, name: str, *arguments: str, once: bool = False) -> None:
        """One more process; ``once`` is not started again when it ends."""
        self.children.append(Child(name, arguments, once))

    def run(self, each_tick: Callable[[], None]) -> None:
        """Keep all children running until SIGTERM; ``each_tick`` is called about five times a second."""
        life = Life(self.folder.run, "up")
        gauge = GaugeFile(self.folder.run, "up")
        forget(self.folder.run)
        watch = RuleWatch(self.folder)
        try:
            while not life.stopping:
                for child in self.children:
                    self._look_after(child)
                self._reload(watch)
                each_tick()
                gauge.set(**self.values())
                life.wait(0.2)
        finally:
            self.stop()

    def pids(self) -> dict[str, int]:
        """The process id of each running child."""
        return {child.name: child.process.pid for child in self.children if child.process is not None}

    def values(self) -> dict[str, Any]:
        """The supervisor's gauge."""
        return {
            "pids": self.pids(),
            "restarts": {child.name: child.restarts for child in self.children},
            "handovers": {child.name: child.handovers for child in self.children if child.handovers},
            "successors": {child.name: child.successor.pid for child in self.children if child.successor is not None},
        }

    def _reload(self, watch: RuleWatch) -> None:
        """Start a successor of detection when its rules are others, or when somebody asks; one at a time."""
        if watch.changed():
            self.reload_due = min(self.reload_due, time.monotonic())
        child = next((child for child in self.children if child.name == SUCCESSOR), None)
        if child is None or child.successor is not None or not self._settled(child):
            return
        if is_asked(self.folder.run):
            self.say(f"rules are read again, asked by {asked(self.folder.run)}")
        elif time.monotonic() < self.reload_due:
            return
        self.reload_due = math.inf
        try:
            child.successor = self._spawn(child, "--follow")
            child.succeeding = time.monotonic()
        except OSError as error:
            self.reload_due = time.monotonic() + RETRY_S
            self.say(f"a successor of {child.name} cannot start ({error.strerror}); again in {RETRY_S:g} s")

    def _settled(self, child: Child) -> bool:
        """Whether the process itself runs and has loaded its own rules."""
        if child.process is None:
            return False
        gauge = read_gauge(self.folder.run, child.name)
        return gauge is not None and gauge.pid == child.process.pid

    def _succeed(self, child: Child, successor: "subprocess.Popen[bytes]") -> None:
        """Put the successor in place once the process before has ended, however it did; see whether it gave up."""
        code = successor.poll()
        if code is not None:
            child.successor = None
            self._not_followed(child, successor.pid, code)
        elif child.process is None or child.process.poll() is not None:
            before = child.process.returncode if child.process is not None else None
            child.restarts += before != 0
            child.handovers += before == 0
            child.process, child.successor, child.started = successor, None, time.monotonic()
            self.say(f"{child.name} is followed by process {successor.pid} ({_ending(before or 0)})")
        elif time.monotonic() - child.succeeding > SUCCESSOR_S:
            successor.kill()

    def _not_followed(self, child: Child, pid: int, code: int) -> None:
        """Say why a successor ended before its turn; one that fell is tried again, one that gave a reason is not."""
        report = last_report(self.folder.run)
        if report is None or report.pid != pid:
            problem = f"the process that was to follow ended ({_ending(code)}); see {self.folder.log / child.name}.log"
            tell(self.folder.run, Result.FAILED, problem=problem)
            self.reload_due = min(self.reload_due, time.monotonic() + RETRY_S)
        elif report.result is Result.FAILED:
            problem = report.problem
        else:
            return
        self.say(f"the new rules were not taken over, those before go on: {problem}")

    def _look_after(self, child: Child) -> None:
        if child.successor is not None:
            self._succeed(child, child.successor)
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
            child.process = self._spawn(child)
            child.started = time.monotonic()
        except OSError as error:  # no room, no memory, no processes left: as if it had fallen at once
            child.falls += 1
            child.due = time.monotonic() + _wait_s(child.falls)
            self.say(f"{child.name} cannot start ({error.strerror}); again in {_wait_s(child.falls):g} s")

    def _spawn(self, child: Child, *more: str) -> "subprocess.Popen[bytes]":
        with _log(self.folder.log / f"{child.name}.log") as log:
            return subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", *child.arguments, "--data", str(self.folder.root), *more],
                stdin=subprocess.PIPE,
                stdout=None if child.once else log,
                stderr=None if child.once else log,
                env={**os.environ, LEASH: "1"},
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask every child to end; kill what has not after ten seconds."""
        running = [(child.name, each) for child in self.children for each in child.processes()]
        for _, process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_S
        for name, process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{name} did not stop in {STOP_S:g} s; killed")
                process.kill()
                process.wait()
        for child in self.children:
            child.process = child.successor = None


def _wait_s(falls: int) -> float:
    return BACK_OFF_S[min(falls, len(BACK_OFF_S) - 1)]


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _log(path: Path) -> IO[bytes]:
    """The log file opened to append; one over 8 MiB is put aside first, replacing the one put aside before."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
