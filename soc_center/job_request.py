"""Asking for a job, whoever asks: the kind is known, its parameters are checked, the workers are woken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soc_center.gauge import now_us
from soc_center.job_kind import load_kind
from soc_center.wake import wake
from soc_model.job import Job
from soc_model.problem import Problem
from soc_store.interfaces import JobStore


def request_job(
    jobs: JobStore,
    run: Path,
    kind: str,
    params: Mapping[str, Any],
    person: str,
    *,
    unless_waiting: bool = False,
    own_door: bool = False,
) -> Job:
    """The job, queued; raises Problem for a kind or parameter that is not known.

    A kind with rights of its own is asked for by who has checked them (``own_door``), and not among others.
    """
    known = load_kind(kind)
    if known.own_door and not own_door:
        raise Problem("kind", f"{kind} is not asked for here; it has a command and a right of its own")
    known.check(dict(params))
    made = jobs.enqueue(kind, params, person, now_us(), attempts_max=known.attempts, unless_waiting=unless_waiting)
    wake(run, "work")
    return made


def request_cancel(jobs: JobStore, run: Path, job_id: int, person: str) -> Job | None:
    """The job after it was asked to end, ``None`` when there is none."""
    found = jobs.request_cancel(job_id, now_us(), person)
    wake(run, "work")
    return found
