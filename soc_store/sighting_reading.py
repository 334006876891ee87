"""Reads sealed sightings in the order in which they are folded: by partition, and there by offset and id.

Order and cursor are of rows, not of segments, so that it does not matter which segments hold them: compaction may join
them at any time. A segment's sequence only tells which segments need not be opened again.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from soc_model.layer import Realm
from soc_model.sighting import Sighting
from soc_store.asset_query import FoldCursor
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import ManifestReader, Partition

_ROWS = """
SELECT "offset", sighting_id, body FROM read_parquet(?, hive_partitioning = false)
WHERE ("offset", sighting_id) > (?, ?) ORDER BY "offset", sighting_id
"""


class Slice(NamedTuple):
    """Some sightings of a partition: the rows behind ``after`` up to ``cursor``."""

    partition: Partition
    after: FoldCursor
    cursor: FoldCursor
    sightings: list[Sighting]


class NewSightings(NamedTuple):
    """The sealed sightings of a realm that are not folded, as of one view of its manifest."""

    folder: Path
    last_sequence: int
    files: dict[Partition, list[str]]

    @classmethod
    def of(
        cls, archive: Path, realm: Realm, sequence: int, folded: Mapping[Partition, FoldCursor]
    ) -> "NewSightings | None":
        """What is new above ``sequence`` and the cursors; ``None`` where the realm has no archive."""
        try:
            view = ManifestReader(archive / realm)
        except FileNotFoundError:
            return None
        try:
            files: dict[Partition, list[str]] = {}
            for segment in view.of_kind("sightings", sequence):
                partition = Partition(realm, segment.layer, segment.day)
                if segment.last_offset >= folded.get(partition, FoldCursor()).offset:
                    files.setdefault(partition, []).append(segment.file)
            return cls(archive, view.last_sequence(), files)
        finally:
            view.close()

    def slices(self, folded: Mapping[Partition, FoldCursor], rows: int) -> Iterator[Slice]:
        """All of it, at most ``rows`` at a time."""
        with open_duckdb(self.folder) as connection:
            for partition, files in self.files.items():
                paths = [str((self.folder / partition.realm / file).resolve()) for file in files]
                after = folded.get(partition, FoldCursor())
                result = connection.execute(_ROWS, [paths, after.offset, after.sighting_id])
                while found := result.fetchmany(rows):
                    cursor = FoldCursor(offset=found[-1][0], sighting_id=found[-1][1])
                    yield Slice(partition, after, cursor, _decoded([body for _, _, body in found]))
                    after = cursor

    @property
    def segments(self) -> int:
        """How many segments are to be read."""
        return sum(map(len, self.files.values()))


def _decoded(bodies: Sequence[str]) -> list[Sighting]:
    decode = msgspec.json.Decoder(Sighting).decode
    return [decode(body) for body in bodies]
