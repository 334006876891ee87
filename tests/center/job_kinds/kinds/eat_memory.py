"""Wants more memory than it may have."""

from typing import Any

from soc_center.job_place import Caps, Job, JobPlace

CAPS = Caps(memory_bytes=64 << 20)


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    hoard = []
    while len(hoard) < 1000:
        hoard.append(bytearray(8 << 20))
    return {"held": len(hoard)}
