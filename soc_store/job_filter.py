"""What a reader asks of the jobs, and what it gets."""

import msgspec

from soc_model.job import Job, JobState


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs; empty means all."""

    states: tuple[JobState, ...] = ()
    kinds: tuple[str, ...] = ()
    created_by: str = ""


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs, the newest first; ``cursor`` asks for those before, ``None`` when there are none."""

    jobs: list[Job]
    cursor: str | None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker learns when it says that it still works: whether the job is still its, and shall still go on."""

    ours: bool
    cancel_requested: bool
