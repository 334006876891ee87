"""import_indicators: a feed of threat-intelligence indicators becomes part of the set that detect compares with.

What is imported lies below the data directory, where ``fengsui indicators import`` has put it: no parameter of a job
names a file elsewhere.
"""

from typing import Any

import msgspec

from soc_center.indicator_import import ImportRequest, import_feed
from soc_center.job_place import Caps, Job, JobPlace

CAPS = Caps(memory_bytes=2 << 30, time_s=1800)
EVERY_S: int | None = None
ATTEMPTS = 1
OWN_DOOR = True
Params = ImportRequest


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """What was taken and what refused."""
    return import_feed(msgspec.convert(job.params, Params), place, job.created_by)
