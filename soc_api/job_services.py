"""What the app is given of jobs: the list, the schedule, and the two things that a person may ask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from soc_model.job import Job
from soc_store.interfaces import JobStore, ScheduleStore


class AskForJob(Protocol):
    """Queues a job; raises ``Problem`` for a kind or a parameter that is not known."""

    def __call__(self, kind: str, params: Mapping[str, Any], person: str, *, unless_waiting: bool) -> Job: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobServices:
    """Jobs as the app may use them.

    ``cancel`` is told which job and who asks; it gives the job after that, None when there is none.
    """

    store: JobStore
    schedules: ScheduleStore
    kinds: Callable[[], Sequence[str]]
    ask: AskForJob
    cancel: Callable[[int, str], Job | None]
    schedule_changed: Callable[[], None]
