"""Hangs without a word until its time is up."""

import time
from typing import Any

from soc_center.job_place import Caps, Job, JobPlace

CAPS = Caps(time_s=1)


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    time.sleep(600)
    return {}
