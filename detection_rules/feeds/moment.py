"""A time as feeds write it."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1024)
def moment_of(text: str) -> int | None:
    """µs since the epoch; what names no zone is UTC. None for what is no time after 1970."""
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "Z"))
        moment = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        us = int(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None
    return us if us > 0 else None
