"""Room on the disk: whether there is enough to take anything in, and for how many days it will last."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from soc_model.event import DAY_US
from soc_store.day import day_of

LOOK_S = 1.0
DAYS = 7  # so many whole days before today tell how fast the archive grows


def free_bytes(folder: Path) -> int:
    """What is free for this user on the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class DiskRoom:
    """Whether there is room; looks at most once a second, and says when that changes."""

    def __init__(
        self,
        folder: Path,
        min_free_bytes: int,
        say: Callable[[str], None],
        *,
        free: Callable[[Path], int] = free_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._least, self._say = folder, min_free_bytes, say
        self._free, self._monotonic = free, monotonic
        self._enough, self._next = True, 0.0

    def enough(self) -> bool:
        """Whether at least as much is free as must stay free."""
        if self._monotonic() >= self._next:
            self._next = self._monotonic() + LOOK_S
            self._look()
        return self._enough

    def _look(self) -> None:
        free = self._free(self._folder)
        if self._enough != (free >= self._least):
            self._enough = not self._enough
            what = "again, intake goes on" if self._enough else f"of {self._least} that must stay: intake refused"
            self._say(f"disk: {free} bytes free {what}")


def first_day(now: int) -> str:
    """The first day that tells how fast the archive grows."""
    return day_of(now - DAYS * DAY_US)


def forecast_days(room_bytes: int, grown: Mapping[str, int], now: int) -> float | None:
    """For how many days ``room_bytes`` last when each is like the last ones; ``None`` while nothing tells.

    ``grown``: by day received, what the archive took. Whole days tell; on the first day, what has passed of it after an
    hour. What retention will free is not reckoned with, so the truth is this or later.
    """
    whole = {day: grown[day] for day in grown if first_day(now) <= day < day_of(now)}
    if whole:
        since = min(whole)  # a day without anything between them counts
        days = sum(since <= day_of(now - back * DAY_US) for back in range(1, DAYS + 1))
        rate = sum(whole.values()) / days
    elapsed = now % DAY_US / DAY_US
    if not whole:
        rate = grown.get(day_of(now), 0) / elapsed if elapsed > 1 / 24 else 0.0
    return None if rate <= 0 else round(max(0, room_bytes) / rate, 1)
