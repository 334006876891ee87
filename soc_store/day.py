"""Days of the archive: UTC, by the time received."""

from datetime import UTC, datetime
from functools import lru_cache

from soc_model.event import DAY_US


def day_of(at: int) -> str:
    """The day of a time in microseconds, ``YYYY-MM-DD``."""
    return _day(at // DAY_US)


@lru_cache(64)
def _day(days: int) -> str:
    return datetime.fromtimestamp(days * DAY_US // 1_000_000, UTC).date().isoformat()
