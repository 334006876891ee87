"""remove_indicators: a feed of threat-intelligence indicators leaves the set that detect compares with."""

from typing import Any

import msgspec

from soc_center.indicator_import import remove_feed
from soc_center.job_place import Caps, Job, JobPlace

CAPS = Caps(memory_bytes=2 << 30, time_s=1800)
EVERY_S: int | None = None
ATTEMPTS = 3
OWN_DOOR = True


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which feed."""

    feed: str


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """How many indicators went and how many are left."""
    return remove_feed(msgspec.convert(job.params, Params).feed, place)
