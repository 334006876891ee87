"""work: takes queued jobs, runs each in a process of its own, keeps how far it is, and brings it to one end.

Comes in: queued jobs. Goes out: their progress, results and reasons. Any number of these may run, on one data
directory or against one state.
The one thing to know: a job is held by a lease. If this process is killed, its children die with it, the lease ends,
and the job is tried again by whoever comes next.
"""

import os
import secrets
import socket
import time
from collections.abc import Mapping
from typing import Any

from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.job_report import Failed, Stopped, Succeeded
from soc_center.job_run import LEASE_US, STOP_S, Ending, JobRun
from soc_center.life import Life, say
from soc_center.start_in import start_in
from soc_model.job import JobState
from soc_model.problem import Problem
from soc_store.interfaces import JobStore
from soc_store.job_book import JobBook
from soc_store.lock import FolderLock

PLACES = 2  # jobs at a time
SLOTS = 16  # of these processes on one data directory
IDLE_S = 1.0


class Work:
    """The jobs that one process has in hand."""

    def __init__(self, folder: DataFolder, jobs: JobStore) -> None:
        self._folder = folder
        self._jobs = jobs
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.runs: list[JobRun] = []
        self.counts = {"done": 0, "failed": 0, "stopped": 0, "lost": 0}

    def take(self) -> None:
        """Begin what is queued, as far as there are places."""
        while len(self.runs) < PLACES:
            now = now_us()
            job = self._jobs.lease(self._worker, now, now + LEASE_US)
            if job is None:
                return
            say(f"work: job {job.id} ({job.kind}) begins")
            try:
                self.runs.append(JobRun(job, self._folder.root))
            except OSError as error:  # no memory, no processes left: as if it had been lost at once
                self._jobs.lost(job.id, self._worker, now_us(), f"cannot start ({error.strerror})")
                self.counts["lost"] += 1
                return

    def tend(self, *, stopping: bool) -> None:
        """Move on what runs."""
        for run in list(self.runs):
            ending = run.look()
            if ending is None:
                self._hold(run, stopping=stopping)
            else:
                self.runs.remove(run)
                self._end(run, ending, stopping=stopping)

    def _hold(self, run: JobRun, *, stopping: bool) -> None:
        told = run.to_tell()
        if told is None:
            held = self._jobs.held(run.job.id, self._worker)
        else:
            until = now_us() + LEASE_US
            held = self._jobs.beat(run.job.id, self._worker, until, done=told.done, total=told.total, text=told.text)
        if not held.ours:
            run.kill()
        elif held.cancel_requested or stopping:
            run.stop()

    def _end(self, run: JobRun, ending: Ending, *, stopping: bool) -> None:
        job_id, now, report = run.job.id, now_us(), ending.report
        said = run.progress
        self._jobs.beat(job_id, self._worker, now + LEASE_US, done=said.done, total=said.total, text=said.text)
        if isinstance(report, Succeeded):
            how = self._finish(job_id, JobState.DONE, result=report.result)
        elif isinstance(report, Failed):
            how = self._finish(job_id, JobState.FAILED, error=report.error)
        elif stopping:
            self._jobs.release(job_id, self._worker, now)
            how = "stopped"
        elif isinstance(report, Stopped):
            self._finish(job_id, JobState.CANCELLED)
            how = "stopped"
        else:
            self._jobs.lost(job_id, self._worker, now, ending.lost)
            how = "lost"
        self.counts[how] += 1
        say(f"work: job {job_id} ({run.job.kind}) {how} {ending.lost or getattr(report, 'error', '')}".rstrip())

    def _finish(self, job_id: int, state: JobState, *, error: str = "", result: Mapping[str, Any] = {}) -> str:
        self._jobs.finish(job_id, self._worker, state, now_us(), error=error, result=result)
        return state.value


def take_slot(folder: DataFolder) -> tuple[str, FolderLock]:
    """The name of this process among those on this data directory (``work``, ``work-2`` …), and the lock on it."""
    for number in range(1, SLOTS + 1):
        name = "work" if number == 1 else f"work-{number}"
        try:
            return name, FolderLock.take(folder.run / name)
        except Problem:
            if number == SLOTS:
                raise
    raise AssertionError("not reached")


def work(folder: DataFolder) -> None:
    """Do jobs until SIGTERM or the end of the supervisor."""
    name, lock = take_slot(folder)
    life = Life(folder.run, name)
    gauge = GaugeFile(folder.run, name)
    book = JobBook.open(folder.state_url)
    working = Work(folder, book.jobs)
    say(f"{name}: ready")
    while not life.stopping:
        working.tend(stopping=False)
        working.take()
        pids = [run.pid for run in working.runs]
        gauge.set(force=False, running=len(pids), worker_pids=pids, **working.counts)
        life.wait(IDLE_S, [fd for run in working.runs for fd in run.reads()])
    deadline = time.monotonic() + STOP_S + 2
    while working.runs and time.monotonic() < deadline:
        working.tend(stopping=True)
        time.sleep(0.05)
    book.close()
    lock.release()


if __name__ == "__main__":
    start_in(work)
