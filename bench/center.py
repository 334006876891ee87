"""A real center for a bench: ``fengsui up`` in a data directory of its own, asked, measured and stopped."""

import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from bench.machine import PROJECT
from bench.proc import cpu_s, memory_mb, running

KEY = "a key for benches only, on loopback"
KEY_SHA256 = hashlib.sha256(KEY.encode()).hexdigest()
UNIT = "bench"
START_S = 120.0
STOP_S = 60.0
T = TypeVar("T")


class BenchError(Exception):
    """The bench cannot go on; nothing is written."""


def end_on_sigterm() -> None:
    """Let SIGTERM end the bench as an exception does, so that everything it started is stopped."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(holds: Callable[[], T], timeout_s: float, what: str) -> T:
    """The first true value of ``holds``; ``BenchError`` after the time-out."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.1)
    raise BenchError(f"after {timeout_s:g} s still not: {what}")


class Center:
    """One center; use it as a context, so that it is stopped whatever happens."""

    def __init__(self, folder: Path, sources: list[dict[str, Any]], rules: list[str], **settings: Any) -> None:
        self.data = folder / "data"
        self.data.mkdir(parents=True, mode=0o700)
        self.console, self.intake = free_port(), free_port()
        told = {
            "version": 1,
            "name": "bench",
            "units": [{"id": UNIT, "name": "bench"}],
            "sources": sources,
            "listen": {"console": f"127.0.0.1:{self.console}", "intake": f"127.0.0.1:{self.intake}"},
            "detection": {"rules": rules, "min_level": "low"},
            **settings,
        }
        (self.data / "fengsui.yml").write_text(yaml.safe_dump(told, allow_unicode=True))
        self.output = folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Center":
        command = [sys.executable, "-m", "soc_center.up", "--evaluation", "--data", str(self.data)]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=PROJECT
            )
        try:
            wait_for(self._ready, START_S, f"a running center ({self.output})")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its children see the end of their leash
            self._process.wait()

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise BenchError(f"the center ended: {self.output.read_text()[-2000:]}")
        return all(self.gauge(name) for name in ("collect", "detect", "triage", "archiver", "serve")) and bool(
            self.gauge("detect").get("worker_pids")
        )

    def gauge(self, process: str) -> dict[str, Any]:
        """The values that a process says of itself; empty when it does not yet."""
        try:
            values = json.loads((self.data / "run" / f"{process}.json").read_bytes())["values"]
        except (OSError, ValueError, KeyError):
            return {}
        return dict(values) if values else {"": True}

    def pids(self) -> dict[str, int]:
        """The process ids of everything that runs now, workers and supervisor included."""
        found: dict[str, int] = dict(self.gauge("up").get("pids", {}))
        for i, pid in enumerate(self.gauge("detect").get("worker_pids", ())):
            found[f"detect worker {i}"] = pid
        if self._process is not None:
            found["supervisor"] = self._process.pid
        return {name: pid for name, pid in found.items() if running(pid)}

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far by process."""
        return {name: cpu_s(pid) for name, pid in self.pids().items()}

    def memory(self) -> dict[str, dict[str, float]]:
        """Memory by process."""
        return {name: memory_mb(pid) for name, pid in self.pids().items()}

    def link(self) -> str:
        """The sign-in link."""
        found = wait_for(lambda: re.findall(r"http://\S+/setup/\S+", self.output.read_text()), START_S, "a link")
        return str(found[-1])

    def drained(self) -> bool:
        """Whether everything in the journal is sealed and triaged."""
        last = self.gauge("collect").get("last_offset", -1)
        sealed = self.gauge("archiver").get("sealed_through", -2)
        return bool(last == sealed == self.gauge("triage").get("cursor", -3))
