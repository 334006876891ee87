"""compact_archive: small segments of the archive become larger ones, by the archiver, which this asks and follows.

The archiver alone writes the manifest; here it is only asked, and a job that is cancelled or dies takes its request
with it.
"""

from typing import Any

import msgspec

from soc_center.compaction_request import request_compaction
from soc_center.job_place import Caps, Job, JobPlace

CAPS = Caps(memory_bytes=512 << 20, time_s=600)
EVERY_S: int | None = 3600
ATTEMPTS = 3

TIME_S = 540.0  # what is not done by then is done the next hour


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """Segments, merges and bytes before and after; ``complete`` is false where more is left for the next time."""
    if not place.settings.archive.compact:
        return {"off": True}
    answer = request_compaction(place.folder.run, place.now, place.progress, time_s=TIME_S)
    return {name: value for name, value in msgspec.structs.asdict(answer).items() if name not in ("v", "id", "at")}
