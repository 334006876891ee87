"""A data directory with real schedule and work processes, which also know the kinds of jobs of the tests."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.wake import wake
from soc_model.job import FINAL, Job
from soc_store.state import State
from tests.running import wait_for

KINDS = Path(__file__).parent / "job_kinds"
ROOT = Path(__file__).parent.parent.parent


def env() -> dict[str, str]:
    """An environment in which the kinds of the tests are there too."""
    return {**os.environ, "PYTHONPATH": f"{KINDS}{os.pathsep}{ROOT}"}


class Works:
    """One data directory, and the processes started on it."""

    def __init__(self, data: Path) -> None:
        self.folder = DataFolder(data).make()
        settings = {"version": 1, "name": "test", "units": [{"id": "u", "name": "u"}], "sources": []}
        self.folder.settings.write_text(yaml.safe_dump(settings))
        self.state = State.open(self.folder.state_url, migrate=True)
        self.jobs = self.state.jobs
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"soc_center.processes.{name}", "--data", str(self.folder.root)]
        with (self.folder.log / f"{name}.log").open("ab") as log:
            made = subprocess.Popen(command, env=env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started.append(made)
        return made

    def ask(self, kind: str, **params: Any) -> int:
        made = self.jobs.enqueue(kind, params, "tester", now_us(), attempts_max=1)
        wake(self.folder.run, "work")
        return made.id

    def job(self, job_id: int) -> Job:
        found = self.jobs.get(job_id)
        assert found is not None
        return found

    def until(self, job_id: int, holds: Callable[[Job], Any], what: str, timeout_s: float = 30) -> Job:
        wait_for(lambda: holds(self.job(job_id)), timeout_s, f"job {job_id} {what}; it is {self.job(job_id)}")
        return self.job(job_id)

    def ended(self, job_id: int, timeout_s: float = 30) -> Job:
        return self.until(job_id, lambda job: job.state in FINAL, "ended", timeout_s)

    def log(self, name: str) -> str:
        return (self.folder.log / f"{name}.log").read_text()

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            process.wait(20)
        self.state.close()
        left = self.folder.root / "grandchild"
        if left.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(left.read_text()), signal.SIGKILL)
