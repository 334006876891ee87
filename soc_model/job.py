"""Work that is asked for now and done later: a job, and the schedule that asks for it by the clock."""

from enum import StrEnum
from typing import Any

import msgspec


class JobState(StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: A job in one of these never changes again.
FINAL = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
#: ``created_by`` of what the clock asked for; no person has this name.
SCHEDULE = "schedule"
PARAMS_BYTES = 16 << 10
TEXT_CHARS = 200
ERROR_CHARS = 2_000
RESULT_BYTES = 1 << 20


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """What a job may take at the most: memory beyond what its process has when it begins, seconds, open files."""

    memory_bytes: int = 512 << 20
    time_s: float = 600.0
    open_files: int = 256


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job (作业). ``created_by`` is a person, or "schedule".

    ``attempts`` is how often its worker was lost in the middle, ``attempts_max`` how often it is then tried again.
    ``progress_total`` 0 means that nobody knows how much there is. While it runs, ``worker`` holds it until
    ``lease_until``.
    """

    id: int
    kind: str
    params: dict[str, Any] = {}
    state: JobState = JobState.QUEUED
    created: int = 0
    created_by: str = SCHEDULE
    started: int | None = None
    finished: int | None = None
    progress_done: int = 0
    progress_total: int = 0
    progress_text: str = ""
    attempts: int = 0
    attempts_max: int = 3
    error: str = ""
    result: dict[str, Any] = {}
    cancel_requested: bool = False
    lease_until: int | None = None
    worker: str = ""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When the clock asks for a kind of job: every ``every_s`` seconds while ``enabled``.

    ``changed_by`` is empty while both are as the kind itself says.
    """

    kind: str
    every_s: int | None = None
    enabled: bool = False
    last_queued: int | None = None
    attempts_max: int = 3
    changed: int = 0
    changed_by: str = ""
