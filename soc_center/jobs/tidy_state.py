"""tidy_state: what the state database no longer needs is let go of: old notices, jobs, sessions, links, episodes and
counts of what rules found.

In slices of ``SLICE`` rows, each a write of its own, so that triage never waits long for its turn.
"""

import time
from typing import Any

import msgspec

from soc_center.job_place import Caps, Job, JobPlace
from soc_store.leftovers import Leftover
from soc_store.state import State

CAPS = Caps(memory_bytes=256 << 20, time_s=300)
EVERY_S: int | None = 3600
ATTEMPTS = 3

DAY_US = 86_400_000_000
SLICE = 500
PAUSE_S = 0.02  # a writer that waits for its turn gets it between two slices


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days each is kept after it was written, ended or expired."""

    notices_days: float = 7.0
    jobs_days: float = 30.0
    sessions_days: float = 1.0
    links_days: float = 1.0
    rule_hours_days: float = 35.0
    episodes_days: float = 180.0


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """How many rows of each went."""
    params, now = msgspec.convert(job.params, Params), place.now()
    days = {each: getattr(params, f"{each}_days") for each in Leftover}
    state = State.open(place.folder.state_url)
    dropped = dict.fromkeys(days, 0)
    try:
        for step, (what, kept) in enumerate(days.items()):
            slice_rows = SLICE
            while slice_rows == SLICE:
                place.progress(step, len(days), f"{what.value}: {dropped[what]}")
                slice_rows = state.drop_leftovers(what, now - int(kept * DAY_US), SLICE)
                dropped[what] += slice_rows
                time.sleep(PAUSE_S)
    finally:
        state.close()
    return {what.value: n for what, n in dropped.items()}
