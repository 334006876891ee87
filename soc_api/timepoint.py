"""Points in time as people and systems write them in a URL."""

import re
from datetime import UTC, datetime, tzinfo

from soc_model.problem import Problem

SECOND_US = 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"-([0-9]{1,6})([smhdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = 253_402_300_800 * SECOND_US  # the year 10000


def parse_timepoint(text: str, place: str, now: int, zone: tzinfo = UTC) -> int | None:
    """µs UTC of an RFC 3339 time, of µs since the epoch, or of a span before now such as ``-24h``; None of nothing.

    A time without offset is meant in ``zone``. Raises Problem naming ``place``.
    """
    text = text.strip()
    if not text:
        return None
    if span := _SPAN.fullmatch(text):
        return max(0, now - int(span[1]) * _UNITS[span[2]] * SECOND_US)
    if text.isascii() and text.isdigit() and len(text) > 8:
        return _within(int(text), place)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(
            place, "is not a time (RFC 3339, microseconds since the epoch, or a span such as -24h)"
        ) from error
    return _within(to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone)), place)


def to_us(moment: datetime) -> int:
    """µs since the epoch of an aware datetime, exactly."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * SECOND_US + passed.microseconds


def _within(us: int, place: str) -> int:
    if not 0 <= us < _LAST_US:
        raise Problem(place, "is outside the years 1970 to 9999")
    return us
