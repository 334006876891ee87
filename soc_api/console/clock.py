"""Times and amounts as people read them, in the viewer's own time zone (cookie ``zone``, set by the first page)."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(name: str | None) -> tzinfo:
    """The zone of that IANA name; UTC where it is unknown."""
    if not name or len(name) > 64:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def moment(us: int, zone: tzinfo) -> datetime:
    """An aware datetime of µs since the epoch."""
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone)


def full_time(us: int, zone: tzinfo) -> str:
    """``2025-11-23 18:04:05.123 +08:00``."""
    local = moment(us, zone).replace(tzinfo=None).isoformat(" ", "milliseconds")
    return f"{local} {zone_label(zone, us).removeprefix('UTC') or 'UTC'}"


def short_time(us: int, zone: tzinfo, now: int) -> str:
    """``18:04:05`` today, ``11-22 18:04:05`` this year, ``2024-11-22 18:04`` before."""
    then, today = moment(us, zone), moment(now, zone)
    if then.date() == today.date():
        return then.strftime("%H:%M:%S")
    if then.year == today.year:
        return then.strftime("%m-%d %H:%M:%S")
    return then.strftime("%Y-%m-%d %H:%M")


def rfc3339(us: int) -> str:
    """``2025-11-23T10:04:05Z``: what stands in URLs."""
    text = moment(us, UTC).isoformat(timespec="auto")
    return text.replace("+00:00", "Z")


def form_time(us: int, zone: tzinfo) -> str:
    """``2025-11-23T18:04:05``: what a datetime-local field takes."""
    return moment(us, zone).strftime("%Y-%m-%dT%H:%M:%S")


def zone_label(zone: tzinfo, now: int) -> str:
    """``UTC+08:00``."""
    offset = moment(now, zone).strftime("%z")
    return "UTC" if offset in ("", "+0000") else f"UTC{offset[:3]}:{offset[3:5]}"


def size(count: float | None) -> str:
    """Bytes with a binary unit, three digits."""
    if count is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def span(seconds: float) -> str:
    """``45 s``, ``10 min``, ``2 h``, ``1 d``: the largest unit that leaves no rest, of what is short or even."""
    for unit_s, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {name}"
    return f"{seconds:,.3g} s" if seconds < 1_000 else f"{seconds / 60:,.0f} min"


def number(count: float) -> str:
    """``1,234,567``."""
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"


def compact(count: int) -> str:
    """``1234``, ``12.3k``, ``4.56M``: for places where the whole number stands in the title."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.3g}k" if count < 999_500 else f"{count / 1_000_000:.3g}M"
