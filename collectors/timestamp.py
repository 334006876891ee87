"""Times out of text and numbers, as microseconds since the epoch in UTC; ``None`` for what is no time.

Never raises on a value. A time without a zone is read in the zone given (UTC unless the source declares one).
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
LATEST_US = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z
EARLIEST_US = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: number for number, name in enumerate(_MONTHS, 1)}


def zone_of(name: object) -> tzinfo:
    """The time zone of that IANA name; UTC when there is none of that name."""
    if not isinstance(name, str) or not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def us_of(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    since = moment - EPOCH
    return since.days * DAY_US + since.seconds * 1_000_000 + since.microseconds


def iso_us(text: object, zone: tzinfo = UTC) -> int | None:
    """The time of an ISO 8601 text (also with a space for the T, seven fraction digits, or second 60)."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _leap_us(text, zone)
    try:
        return us_of(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))
    except (OverflowError, ValueError):
        return None


def _leap_us(text: str, zone: tzinfo) -> int | None:
    """Second 60 is the second after 59; anything else is no time."""
    if text[16:19] != ":60":
        return None
    before = iso_us(f"{text[:17]}59{text[19:]}", zone)
    return None if before is None else before + 1_000_000


def epoch_us(value: object, unit: str) -> int | None:
    """The time of a number (or its text) of seconds ``s``, ``ms`` or ``us`` since the epoch."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)[:40]) > 32:
        return None
    try:
        moment = int(value) * UNITS[unit] if isinstance(value, int) else round(float(value) * UNITS[unit])
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST_US <= moment <= LATEST_US else None


def any_us(value: object, zone: tzinfo = UTC) -> int | None:
    """The time of an ISO text or of a number whose unit its size tells (s below 10^11, ms below 10^14, else µs)."""
    if isinstance(value, str) and (value[4:5] == "-" or not value.replace(".", "", 1).isdecimal()):
        return iso_us(value, zone)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)[:40]) > 32:
        return None
    size = abs(float(value))
    return epoch_us(value, "s" if size < 1e11 else "ms" if size < 1e14 else "us")


def format_us(text: object, pattern: str, zone: tzinfo = UTC) -> int | None:
    """The time of a text in a ``strptime`` pattern."""
    try:
        moment = datetime.strptime(str(text), pattern)
        return us_of(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def bsd_us(text: str, received: int, zone: tzinfo = UTC) -> int | None:
    """The time of ``Mmm dd hh:mm:ss`` (RFC 3164 §4.1.2), which has no year: the latest that is not in the future.

    A year is in the future when it puts the time more than one day after ``received``; a 29 February goes back to a
    leap year.
    """
    try:
        month, day = MONTHS[text[:3].capitalize()], int(text[4:6])
        clock = (int(text[7:9]), int(text[10:12]), min(int(text[13:15]), 59))
        this = (EPOCH + timedelta(microseconds=received)).astimezone(zone).year
    except (KeyError, ValueError, OverflowError):
        return None
    for year in range(this + 1, this - 9, -1):
        moment = _moment(year, month, day, clock, zone)
        if moment is not None and moment <= received + DAY_US:
            return moment
    return None


def _moment(year: int, month: int, day: int, clock: tuple[int, int, int], zone: tzinfo) -> int | None:
    try:
        return us_of(datetime(year, month, day, *clock, tzinfo=zone))
    except (ValueError, OverflowError):
        return None
