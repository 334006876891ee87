"""A real center in a fresh Python for tests: started, asked, killed and started again."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

KEY = "a key for tests only, on loopback"
LINK = r"https?://\S+/setup/\S+"
RULE = """
title: Marked by the kill test
id: 3f0e7c1a-52d4-4d0e-9c57-0a3d1c5b7e21
status: test
level: medium
logsource: {product: killtest}
detection:
    marked: {marker: kill-test}
    condition: marked
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(holds: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """The first true value of ``holds``; fails the test after the time-out."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.1)
    raise AssertionError(f"after {timeout_s:g} s still not: {what}")


class Center:
    """One center on its own data directory and ports."""

    def __init__(self, folder: Path, sources: list[dict[str, Any]], **settings: Any) -> None:
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.console, self.intake = free_port(), free_port()
        rule = folder / "rules" / "marked.yml"
        rule.parent.mkdir()
        rule.write_text(RULE)
        self.settings = {
            "version": 1,
            "name": "test",
            "units": [{"id": "unit", "name": "unit"}],
            "sources": sources,
            "listen": {"console": f"127.0.0.1:{self.console}", "intake": f"127.0.0.1:{self.intake}"},
            "detection": {"rules": [str(rule)]},
            **settings,
        }
        (self.data / "fengsui.yml").write_text(yaml.safe_dump(self.settings))
        self.output = folder / "up.log"
        self.environment: dict[str, str] | None = None  # None: ours
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, evaluation: bool = True) -> None:
        """Start it, once the processes of a supervisor that was killed have let go of their locks."""
        mode = ["--evaluation"] if evaluation else []
        command = [sys.executable, "-m", "soc_center.up", *mode, "--data", str(self.data), *arguments]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=self.environment
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def gauge(self, process: str) -> dict[str, Any]:
        try:
            return json.loads((self.data / "run" / f"{process}.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def pids(self) -> dict[str, int]:
        """The process ids of everything that runs now, workers and supervisor included."""
        found = dict(self.gauge("up").get("values", {}).get("pids", {}))
        for i, pid in enumerate(self.gauge("detect").get("values", {}).get("worker_pids", ())):
            found[f"worker{i}"] = pid
        if self.process is not None:
            found["up"] = self.process.pid
        return {name: pid for name, pid in found.items() if alive(pid)}

    def link(self) -> str:
        return wait_for(lambda: re.findall(LINK, self.output.read_text()), 60, "a link")[-1]

    def links(self) -> dict[str, str]:
        """The links of a start that is no evaluation, by what the terminal says before each."""
        found = re.compile(rf"^  (\w+ administrator) .*\n +({LINK})$", re.MULTILINE)
        return dict(wait_for(lambda: found.findall(self.output.read_text()), 60, "three links"))

    def send(self, source: str, lines: list[bytes]) -> int:
        """The status of one intake request; 0 when nobody answered."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.intake}/v1/intake/{source}",
            data=b"\n".join(lines) + b"\n",
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-ndjson"},
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
