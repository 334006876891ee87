"""The archive's writer putting merged segments in the place of those they were made of.

One transaction of the manifest swaps them; from then on searches see the new file alone. The old files stay for longer
than a search may take, then they go; what a crash leaves of them goes when the archive is opened.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from soc_model.layer import Realm
from soc_store import merkle
from soc_store.compaction import CompactionRule, Merge, Merged, plan
from soc_store.durable import publish
from soc_store.manifest import Manifest
from soc_store.manifest_compaction import Crowd
from soc_store.manifest_entry import Compaction, file_of
from soc_store.segment_file import remove

KEPT_US = 30_000_000  # a search ends within 20 s


class Size(NamedTuple):
    """What searches can see: segments, and their bytes on the disk."""

    segments: int
    bytes: int


class Compactor:
    """Says what is to be merged, and takes what was merged into the manifests. Not for two threads at once."""

    def __init__(self, folder: Path, manifests: Mapping[Realm, Manifest], now: Callable[[], int]) -> None:
        self._folder, self._manifests, self._now = folder, manifests, now
        self._leaving: deque[tuple[int, list[Path]]] = deque()

    def size(self) -> Size:
        """What all realms have now."""
        sizes = [manifest.size() for manifest in self._manifests.values()]
        return Size(sum(segments for segments, _ in sizes), sum(size for _, size in sizes))

    def crowds(self) -> list[tuple[Realm, Crowd]]:
        """Where there may be anything to merge."""
        return [(realm, crowd) for realm, manifest in self._manifests.items() for crowd in manifest.crowds()]

    def merges(self, realm: Realm, crowd: Crowd, rule: CompactionRule, today: str) -> list[Merge]:
        """What is to be merged of a crowd, ``today`` being the first day that is not over."""
        groups = plan(self._manifests[realm].partition(crowd), rule, ended=crowd.day < today)
        kind, layer, day, _ = crowd
        return [Merge(realm=realm, kind=kind, layer=layer, day=day, segments=group) for group in groups]

    def replace(self, merge: Merge, merged: Merged, at: int) -> bool:
        """Put the merged file in the place of its segments, at the time ``at`` (µs).

        ``False`` when one of them was removed meanwhile: then the merged file goes, and nothing else has changed.
        """
        manifest, folder = self._manifests[merge.realm], self._folder / merge.realm
        entry = _entry(merge, merged, manifest.last_sequence() + 1, at)
        final = folder / entry.file
        taken = False
        try:
            publish(folder / merged.file, final)
            taken = manifest.replace(entry)
        finally:
            if not taken:
                remove([folder / merged.file, final])
        if taken:
            self._leaving.append((self._now() + KEPT_US, [folder / one.file for one in merge.segments]))
        return taken

    def discard(self, merge: Merge, file: str) -> None:
        """Remove what a merge that failed has left."""
        remove([self._folder / merge.realm / file])

    def clear(self) -> None:
        """Remove the files that were replaced for long enough."""
        while self._leaving and self._leaving[0][0] <= self._now():
            remove(self._leaving.popleft()[1])  # what cannot be removed goes when the archive is opened

    def close(self) -> None:
        """Remove what is left to be removed, as far as possible now."""
        with suppress(OSError):
            while self._leaving:
                remove(self._leaving.popleft()[1])


class Round:
    """One walk over all that can be merged: ``next`` until there is no more. ``done`` of ``total`` places."""

    def __init__(self, compactor: Compactor, rule: CompactionRule, today: str) -> None:
        self._compactor, self._rule, self._today = compactor, rule, today
        self._crowds = deque(compactor.crowds())
        self._merges: deque[Merge] = deque()
        self.before = compactor.size()
        self.total = len(self._crowds)

    @property
    def done(self) -> int:
        """How many places were looked at and are finished."""
        return self.total - len(self._crowds) - bool(self._merges)

    def next(self) -> Merge | None:
        """The next merge, ``None`` at the end. The one before must be finished, well or not."""
        while not self._merges and self._crowds:
            realm, crowd = self._crowds.popleft()
            self._merges.extend(self._compactor.merges(realm, crowd, self._rule, self._today))
        return self._merges.popleft() if self._merges else None


def _entry(merge: Merge, merged: Merged, sequence: int, at: int) -> Compaction:
    return Compaction(
        sequence=sequence,
        kind=merge.kind,
        layer=merge.layer,
        day=merge.day,
        file=file_of(merge.kind, merge.day, merge.layer, sequence),
        first_offset=min(one.first_offset for one in merge.segments),
        last_offset=max(one.last_offset for one in merge.segments),
        rows=merged.rows,
        min_time=min(one.min_time for one in merge.segments),
        max_time=max(one.max_time for one in merge.segments),
        bytes=merged.bytes,
        alg=merkle.ALG,
        merkle_root=merged.merkle_root,
        file_digest=merged.file_digest,
        at=at,
        replaced=[one.sequence for one in merge.segments],
    )
