"""What a job is given: where the data lies, the settings, the clock, and somebody to tell how far it has come."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from soc_center.folder import DataFolder
from soc_center.settings import Settings
from soc_model.job import Caps, Job, JobState

__all__ = ["Cancelled", "Caps", "Job", "JobPlace", "JobState"]

TELL_S = 0.2


class Cancelled(BaseException):
    """Somebody wants the job to end. Not an ``Exception``, so that no handler of errors swallows it."""


def _tell_nobody(done: int, total: int, text: str) -> None:
    """What a place without a worker does, as in a test of a kind."""


def _never() -> bool:
    return False


@dataclass(slots=True, kw_only=True)
class JobPlace:
    """The surroundings of one run of a job."""

    folder: DataFolder
    settings: Settings
    now: Callable[[], int]
    tell: Callable[[int, int, str], None] = _tell_nobody
    cancelled: Callable[[], bool] = _never
    _next: float = field(default=0.0, init=False)

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Say how far the job is; raises Cancelled when it shall end. Cheap: it is passed on five times a second.

        A job that never says so can only be killed: call it at least once a second.
        """
        if self.cancelled():
            raise Cancelled
        if time.monotonic() < self._next and done != total:
            return
        self._next = time.monotonic() + TELL_S
        self.tell(done, total, text)
