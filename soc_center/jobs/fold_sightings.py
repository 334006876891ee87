"""Once a minute: what was newly sealed of sightings becomes assets and links.

Comes in: rows of sealed sightings behind the cursor of each partition. Goes out: slices, each in one short transaction
of the state with its cursor. The one thing to know: a run that is ended anywhere is simply gone on with by the next,
because a slice and its cursor commit together.
"""

from typing import Any

from risk_assessment.fold import fold, spoken_of
from risk_assessment.room import Room
from soc_center.job_place import Caps, JobPlace
from soc_model.job import Job
from soc_model.layer import Realm
from soc_store.assets import Assets
from soc_store.sighting_reading import NewSightings, Slice

CAPS = Caps(memory_bytes=512 << 20, time_s=600)
EVERY_S = 60
ATTEMPTS = 3
ROWS = 100  # sightings in one transaction, so that it takes well under 50 ms


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """Fold what is new in every realm; how many sightings were folded, what was made of them and what had no room."""
    assets = Assets.open(place.folder.state_url)
    try:
        folding = _Run(assets, place)
        for realm in Realm:
            folding.fold_realm(realm)
        return folding.told
    finally:
        assets.close()


class _Run:
    """One run over all realms, with the room that each source has in it."""

    def __init__(self, assets: Assets, place: JobPlace) -> None:
        self._assets, self._place = assets, place
        self._room = Room(assets.made())
        self._segments = 0
        self.told: dict[str, Any] = {"sightings": 0, "new_assets": 0, "capped": 0}

    def fold_realm(self, realm: Realm) -> None:
        sequence, folded = self._assets.folded(realm)
        new = NewSightings.of(self._place.folder.archive, realm, sequence, folded)
        if new is None:
            return
        total = self._segments + new.segments
        for one in new.slices(folded, ROWS):
            self._place.progress(self._segments, total, f"{realm.value} {one.partition.day}")
            self._fold(one)
        self._segments = total
        if new.last_sequence > sequence:
            self._assets.looked_at(realm, new.last_sequence)

    def _fold(self, one: Slice) -> None:
        changes = fold(one.sightings, self._assets.known(*spoken_of(one.sightings)), self._room)
        self._assets.commit_fold(changes, one.partition, one.cursor, one.after)
        self._room.take(changes.made)
        self.told["sightings"] += len(one.sightings)
        self.told["new_assets"] += len(changes.makers)
        self.told["capped"] += sum(changes.capped.values())
