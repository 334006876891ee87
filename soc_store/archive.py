"""The archive's one writer: rows of outcomes gathered by realm, layer and day received, sealed as Parquet segments,
and removed by whole segments when their time is over.

Exactly once by construction: a partition is sealed up to an offset A together with everything of it at or below A, in
one manifest transaction after its files are synced; whatever is added again at or below A is passed over, and files
without an entry are removed. Nothing unsealed is kept here but in memory: it is in the outcome log, and is added again
from ``sealed_through()`` on.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from soc_model.finding import Finding
from soc_model.layer import Layer, Realm
from soc_model.outcome import Outcome, RowBlock, Stat
from soc_model.problem import Problem
from soc_store.day import day_of
from soc_store.durable import make_folder
from soc_store.lock import FolderLock
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import FILE, Manifest, Partition
from soc_store.manifest_entry import Retention, Segment
from soc_store.segment_file import Place, orphans, remove, sequence_of, write_events, write_findings

SEAL_ROWS = 20_000
SEAL_RAW_BYTES = 64 * 1024 * 1024
SEAL_US = 60_000_000
RETIRED = 10_000  # segments in one retention entry


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What waits to be sealed of one partition, since when, and of which batches."""

    since: int
    first_offset: int
    last_offset: int
    rows: int = 0
    raw_bytes: int = 0
    blocks: list[RowBlock] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    stats: list[Stat] = field(default_factory=list)

    def due(self, now: int, rows: int, age_us: int) -> bool:
        """Whether it is large or old enough to be sealed."""
        return self.rows >= rows or self.raw_bytes >= SEAL_RAW_BYTES or now - self.since >= age_us


class Archive:
    """Gathers outcomes and seals them. Not for two threads at once."""

    def __init__(self, folder: Path, now: Callable[[], int], seal_rows: int, seal_us: int) -> None:
        self._folder, self._now = folder, now
        self._seal_rows, self._seal_us = seal_rows, seal_us
        self._lock = FolderLock.take(folder)
        self._manifests: dict[Realm, Manifest] = {}
        self._gathered: dict[Partition, _Gathered] = {}
        try:
            for realm in Realm:
                if (folder / realm).is_dir():
                    self._open_realm(realm)
            self._duckdb = open_duckdb(folder)
        except BaseException:
            self._lock.release()
            raise
        self._sealed = {
            Partition(realm, Layer(layer), day): through
            for realm, manifest in self._manifests.items()
            for (layer, day), through in manifest.sealed().items()
        }
        # Each manifest tells what was true when it was written, so the highest is true.
        self._added = max((manifest.through() for manifest in self._manifests.values()), default=0)

    @classmethod
    def open(
        cls, folder: Path, now: Callable[[], int], *, seal_rows: int = SEAL_ROWS, seal_us: int = SEAL_US
    ) -> "Archive":
        """The archive in ``folder``, made where missing, without what a crash left unsealed.

        A segment is sealed after ``seal_rows`` rows or ``seal_us`` microseconds.

        ``Problem`` when another process writes it, a version is unknown, the disk is not a local one, or a realm has
        segments but no manifest.
        """
        return cls(folder, now, seal_rows, seal_us)

    def _open_realm(self, realm: Realm) -> Manifest:
        folder = make_folder(self._folder / realm)
        if not (folder / FILE).exists() and any(folder.glob("*/*/*.parquet")):
            raise Problem(str(folder), f"has segments but no {FILE}: nothing says which of them were sealed")
        manifest = Manifest.open(folder)
        for path in orphans(folder, manifest.last_sequence()):
            path.unlink()
        remove(path for path in folder.glob("*/*/*.parquet") if manifest.is_removed(sequence_of(path)))
        self._manifests[realm] = manifest
        return manifest

    def add(self, outcome: Outcome) -> None:
        """Gather the rows, findings and counts of one outcome; outcomes come in the order of their offsets.

        An outcome added before, and what of it is sealed already, is passed over.
        """
        if outcome.offset <= self._added:
            return
        for block in outcome.blocks:
            partition = Partition(Realm(block.constants["realm"]), *_place(block))
            if block.rows and (gathered := self._gather(partition, outcome.offset)):
                gathered.blocks.append(block)
                gathered.rows += block.rows
                gathered.raw_bytes += sum(map(len, block.columns.get("raw", ())))
        for finding in outcome.findings:
            partition = Partition(finding.realm, finding.layer, day_of(finding.received))
            if gathered := self._gather(partition, outcome.offset):
                gathered.findings.append(finding)
                gathered.rows += 1
        for stat in outcome.stats:
            if gathered := self._gather(Partition(stat.realm, stat.layer, stat.day), outcome.offset):
                gathered.stats.append(stat)
        self._added = outcome.offset

    def _gather(self, partition: Partition, offset: int) -> _Gathered | None:
        """Where to gather what ``offset`` has of the partition; ``None`` when that is sealed."""
        if offset <= self._sealed.get(partition, 0):
            return None
        if partition not in self._gathered:
            self._gathered[partition] = _Gathered(since=self._now(), first_offset=offset, last_offset=offset)
        self._gathered[partition].last_offset = offset
        return self._gathered[partition]

    def seal_due(self, now: int, force: bool = False, sync: Callable[[], None] | None = None) -> int:
        """Seal the partitions that are large (in rows, or 64 MiB raw) or old, or all by ``force``; how many segments
        were made. After an error what was gathered is still there.

        ``sync`` is called first where anything is due: it returns once the outcomes added are on the disk.
        """
        due = [
            partition
            for partition, gathered in self._gathered.items()
            if force or gathered.due(now, self._seal_rows, self._seal_us)
        ]
        if due and sync is not None:
            sync()
        return sum(self._seal(partition) for partition in due)

    def _seal(self, partition: Partition) -> int:
        gathered = self._gathered[partition]
        manifest = self._manifests.get(partition.realm) or self._open_realm(partition.realm)
        segments = self._write(partition, gathered, manifest.last_sequence() + 1)
        others = (one for other, one in self._gathered.items() if other != partition)
        manifest.seal(partition, segments, gathered.stats, sealed=self._added, through=self._through(others))
        self._sealed[partition] = self._added
        del self._gathered[partition]
        return len(segments)

    def _write(self, partition: Partition, gathered: _Gathered, sequence: int) -> list[Segment]:
        folder = self._folder / partition.realm
        offsets = range(gathered.first_offset, gathered.last_offset + 1)
        segments = []
        if gathered.blocks:
            place = Place(folder, partition, sequence)
            segments.append(write_events(self._duckdb, place, gathered.blocks, offsets))
        if gathered.findings:
            place = Place(folder, partition, sequence + len(segments))
            segments.append(write_findings(self._duckdb, place, gathered.findings, offsets))
        return segments

    def sealed_through(self) -> int:
        """Every row at or below this offset is sealed; begin adding after it.

        It only grows while the archive is open. Opened again it may be lower by batches that had no rows.
        """
        return self._through(self._gathered.values())

    def _through(self, waiting: Iterable[_Gathered]) -> int:
        return min((gathered.first_offset - 1 for gathered in waiting), default=self._added)

    def retire(self, rule: Retention) -> int:
        """Remove the segments of days received before ``rule.before`` in every realm; how many they were.

        First an entry of the manifest says which and why, and searches see them no more; then the files go. What a
        crash in between leaves of them goes when the archive is opened again. Nothing unsealed is touched.
        """
        count = 0
        for realm, manifest in self._manifests.items():
            while retired := manifest.retire(rule, RETIRED):
                remove(self._folder / realm / segment.file for segment in retired)
                count += len(retired)
        return count

    def close(self) -> None:
        """Let go of everything; what is not sealed is added again from the outcome log."""
        self._duckdb.close()
        for manifest in self._manifests.values():
            manifest.close()
        self._lock.release()


def _place(block: RowBlock) -> tuple[Layer, str]:
    return Layer(block.constants["layer"]), day_of(block.constants["received"])
