"""The time range of a list: one of a few names in the URL, or since and until; and the buckets of its histogram."""

from datetime import tzinfo
from typing import NamedTuple

from soc_api.console.words import N_
from soc_api.timepoint import SECOND_US, parse_timepoint

MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

RANGES = {
    "15m": (15 * MINUTE_US, N_("15 minutes")),
    "1h": (HOUR_US, N_("1 hour")),
    "24h": (DAY_US, N_("24 hours")),
    "7d": (7 * DAY_US, N_("7 days")),
    "30d": (30 * DAY_US, N_("30 days")),
    "all": (0, N_("All time")),
}
#: Histogram steps people can read off an axis.
STEPS_US = (
    10 * SECOND_US,
    30 * SECOND_US,
    MINUTE_US,
    5 * MINUTE_US,
    10 * MINUTE_US,
    20 * MINUTE_US,
    HOUR_US,
    3 * HOUR_US,
    12 * HOUR_US,
    DAY_US,
    7 * DAY_US,
    30 * DAY_US,
)
MOST_BUCKETS = 72


class Span(NamedTuple):
    """A stretch of time; ``name`` is empty when since and until were given themselves; None is open."""

    name: str
    since: int | None
    until: int | None


class Buckets(NamedTuple):
    """Equal steps that cover a span: from ``since`` on, ``steps`` times ``step_us``."""

    since: int
    step_us: int
    steps: int

    @property
    def until(self) -> int:
        """The end of the last step."""
        return self.since + self.step_us * self.steps


def read_span(name: str, since: str, until: str, *, now: int, zone: tzinfo, default: str) -> Span:
    """The span that the fields of a filter bar say; raises Problem for what is not a time."""
    start, end = parse_timepoint(since, "since", now, zone), parse_timepoint(until, "until", now, zone)
    if start is not None or end is not None:
        return Span("", start, end)
    name = name if name in RANGES else default
    length = RANGES[name][0]
    return Span(name, now - length if length else None, None)


def buckets_of(span: Span, now: int) -> Buckets:
    """The buckets for a span's histogram; of an open one the last 30 days."""
    until = span.until if span.until is not None else now
    since = span.since if span.since is not None else until - 30 * DAY_US
    since = min(since, until - SECOND_US)
    step = next((step for step in STEPS_US if (until - since) / step <= MOST_BUCKETS), STEPS_US[-1])
    start = max(since - since % step, until - 1000 * step)
    return Buckets(start, step, -(-(until - start) // step))
