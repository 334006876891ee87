"""schedule: asks for jobs by the clock, and takes back those whose worker was lost. It only enqueues.

Comes in: our table of schedules, which kinds of jobs and people fill. Goes out: queued jobs.
The one thing to know: a kind that is queued or runs already is not asked for again.
"""

from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.kind_list import kinds_apart
from soc_center.life import Life, say
from soc_center.start_in import start_in
from soc_center.timetable import Timetable
from soc_center.wake import wake
from soc_model.job import SCHEDULE, Schedule
from soc_store.job_book import JobBook
from soc_store.lock import FolderLock

LOOK_S = 2.0


class Clock:
    """What is done when a schedule is due."""

    def __init__(self, folder: DataFolder, book: JobBook) -> None:
        self._folder = folder
        self._book = book
        self.asked = 0

    def ask(self, schedule: Schedule) -> None:
        """Queue one job of the kind, unless one waits or runs."""
        now = now_us()
        self._book.jobs.enqueue(
            schedule.kind, {}, SCHEDULE, now, attempts_max=schedule.attempts_max, unless_waiting=True
        )
        self._book.schedules.queued(schedule.kind, now)
        self.asked += 1
        wake(self._folder.run, "work")

    def reclaim(self) -> int:
        """How many jobs were taken back from workers that are gone."""
        taken = len(self._book.jobs.reclaim(now_us()))
        if taken:
            say(f"schedule: {taken} jobs taken back from a worker that was lost")
            wake(self._folder.run, "work")
        return taken


def wanted_schedules() -> list[Schedule]:
    """What the kinds of jobs say of themselves."""
    return [
        Schedule(kind=kind.name, every_s=kind.every_s, enabled=kind.every_s is not None, attempts_max=kind.attempts)
        for kind in kinds_apart()
    ]


def schedule(folder: DataFolder) -> None:
    """Ask for jobs by the clock until SIGTERM or the end of the supervisor."""
    life = Life(folder.run, "schedule")
    gauge = GaugeFile(folder.run, "schedule")
    lock = FolderLock.take(folder.run / "schedule")
    book = JobBook.open(folder.state_url)
    book.schedules.adopt(wanted_schedules())
    clock = Clock(folder, book)
    timetable = Timetable(clock.ask)
    timetable.start()
    reclaimed = 0
    while not life.stopping:
        table = book.schedules.all()
        if timetable.build(table, now_us()):
            say(f"schedule: {', '.join(f'{each.kind} every {each.every_s} s' for each in table if each.enabled)}")
        reclaimed += clock.reclaim()
        gauge.set(schedules=sum(each.enabled for each in table), asked=clock.asked, reclaimed=reclaimed)
        life.wait(LOOK_S)
    timetable.stop()
    book.close()
    lock.release()


if __name__ == "__main__":
    start_in(schedule)
