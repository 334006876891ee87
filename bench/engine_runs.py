"""The engines as the bench runs them: ours, rsigma and the naive oracle, each giving CPU seconds and hits.

CPU is user and system time of one process as the kernel counts it, on one core. Of rsigma the time for one event (start
and rule load) is taken off, ours is measured in a process forked after the load: neither counts loading rules.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.engine_lane import Lane, Part
from bench.engine_ours import Loaded, Order, Reply


def pin(core: int) -> None:
    """Keep this process and what it starts from now on to one core."""
    os.sched_setaffinity(0, {core})


class Ours:
    """The process of our engine, with its rules loaded."""

    def __init__(self, rules: list[Path], cache: Path, *, core: int, hyperscan: bool = True) -> None:
        command = [sys.executable, "-m", "bench.engine_ours", *map(str, rules), "--kept", str(cache / "compiled")]
        pin(core)
        began = time.monotonic()
        self._process = subprocess.Popen(
            command if hyperscan else [*command, "--no-hyperscan"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.loaded = msgspec.json.decode(self._answer(), type=Loaded)
        self.load_s = time.monotonic() - began

    def run(self, lane: Lane, *, counted: bool = False, share: tuple[int, int] = (0, 1)) -> Reply:
        """One run over a lane."""
        self.order(lane, counted=counted, share=share)
        return self.reply()

    def order(self, lane: Lane, *, counted: bool = False, share: tuple[int, int] = (0, 1)) -> None:
        """Begin a run; ``reply`` waits for it."""
        assert self._process.stdin is not None
        order = Order(parts=lane.parts, counted=counted, share=share)
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()

    def reply(self) -> Reply:
        """What the run that was begun came to."""
        return msgspec.json.decode(self._answer(), type=Reply)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("our engine's process ended")
        return line


class Rsigma:
    """The rsigma binary with a folder of rules."""

    def __init__(self, binary: str, rules: Path, *, core: int) -> None:
        self._binary, self._rules, self._core = binary, rules, core

    @property
    def version(self) -> str:
        """What it says of itself."""
        done = subprocess.run([self._binary, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    def run(self, lane: Lane, *, counted: bool = False, more: tuple[str, ...] = ()) -> "Measured":
        """One run over a lane; the CPU is of the whole process, load and all."""
        pin(self._core)
        total = Measured(cpu_s=0.0, hits=0, peak_mb=0.0, by_rule={})
        for part in lane.parts:
            total = total.plus(self._one(["-e", f"@{part.path}", *part.rsigma, *more], counted=counted))
        return total

    def hits(self, part: Part) -> Iterator[dict[str, Any]]:
        """Every hit on a part, with its event."""
        command = [*self._command(["-e", f"@{part.path}", *part.rsigma]), "--include-event"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            yield from map(msgspec.json.decode, process.stdout)

    def _command(self, arguments: list[str]) -> list[str]:
        return [self._binary, "engine", "eval", "-r", str(self._rules), "--logsource-routing", *arguments]

    def _one(self, arguments: list[str], *, counted: bool) -> "Measured":
        command = self._command(arguments)
        found: Counter[str] = Counter()
        out: Any = subprocess.PIPE if counted else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        if process.stdout is not None:
            found.update(msgspec.json.decode(line)["rule_id"] for line in process.stdout)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"rsigma ended with {process.returncode}: {said[-2000:]}")
        return Measured(
            cpu_s=usage.ru_utime + usage.ru_stime,
            hits=_matches(said),
            peak_mb=usage.ru_maxrss / 1000,
            by_rule=dict(found),
        )


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of rsigma took and found."""

    cpu_s: float
    hits: int
    peak_mb: float
    by_rule: dict[str, int]

    def plus(self, other: "Measured") -> "Measured":
        """Both together."""
        by_rule = Counter(self.by_rule)
        by_rule.update(other.by_rule)
        return Measured(
            cpu_s=self.cpu_s + other.cpu_s,
            hits=self.hits + other.hits,
            peak_mb=max(self.peak_mb, other.peak_mb),
            by_rule=dict(by_rule),
        )


def _matches(said: str) -> int:
    """The number in ``Processed N events, M matches.``"""
    line = next(line for line in said.splitlines() if line.startswith("Processed "))
    return int(line.split()[3])


def find_rsigma(given: str) -> str | None:
    """The binary that was named, else the one on PATH."""
    return given or shutil.which("rsigma")
