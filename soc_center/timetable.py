"""When the clock asks for what: APScheduler 3.x behind one class, with a memory store built anew from our own table.

A time that was missed (asleep, stopped, busy) is caught up once, however many were missed.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from soc_model.job import Schedule

FIRST_S = 60  # a center that starts for the first time has better things to do
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def due_at(schedule: Schedule, now: int) -> int:
    """When a schedule with an interval is due next (µs); may be past, and is never more than one interval away."""
    every_us = (schedule.every_s or 0) * 1_000_000
    if schedule.last_queued is None:
        return now + min(every_us, FIRST_S * 1_000_000)
    return min(schedule.last_queued, now) + every_us


class Timetable:
    """Calls ``ask(schedule)`` in a thread of its own, whenever one is due."""

    def __init__(self, ask: Callable[[Schedule], None]) -> None:
        self._ask = ask
        # The debug executor runs a job in the scheduler's own thread: each is one short write.
        self._scheduler = BackgroundScheduler(executors={"default": DebugExecutor()}, timezone=UTC)
        self._built: list[tuple[str, int | None, bool]] = []
        self.builds = 0

    def start(self) -> None:
        """Begin to call."""
        self._scheduler.start()

    def stop(self) -> None:
        """Call no more."""
        self._scheduler.shutdown(wait=True)

    def build(self, schedules: Sequence[Schedule], now: int) -> bool:
        """Take over the table; False, and nothing is touched, where nothing of it changed but when it was called."""
        wanted = [(each.kind, each.every_s, each.enabled) for each in schedules]
        if wanted == self._built:
            return False
        self._scheduler.remove_all_jobs()
        for each in schedules:
            if each.enabled and each.every_s is not None:
                self._add(each, now)
        self._built = wanted
        self.builds += 1
        return True

    def _add(self, schedule: Schedule, now: int) -> None:
        due = _EPOCH + timedelta(microseconds=due_at(schedule, now))
        self._scheduler.add_job(
            self._ask,
            IntervalTrigger(seconds=schedule.every_s, start_date=due, timezone=UTC),
            args=(schedule,),
            id=schedule.kind,
            next_run_time=due,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
