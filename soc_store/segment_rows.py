"""The rows of a sealed segment against its entry: their number, Merkle root, times, offsets and place."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soc_model.layer import Realm
from soc_store import merkle
from soc_store.compaction import Slice
from soc_store.day import day_of
from soc_store.manifest_entry import Segment, SegmentKind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = 128  # in memory as Python values at a time; a record may have 1 MiB
_PLACE = '"offset", received, layer, realm'
_COLUMNS = {
    "events": f'event_id, raw, raw_binary, "@timestamp", {_PLACE}',
    "findings": f'finding_id, body, NULL, "at", {_PLACE}',
    "sightings": f'sighting_id, body, NULL, "at", {_PLACE}',
}


class _Seen:
    """What the rows read so far come to."""

    def __init__(self) -> None:
        self.rows = 0
        self.times: tuple[int, int] | None = None
        self.offsets: tuple[int, int] | None = None
        self.places: set[tuple[str, str, str]] = set()

    def leaves(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[bytes]:
        """The Merkle leaves of ``rows``, which are counted on the way."""
        for name, content, binary, at, offset, received, layer, realm in rows:
            self.rows += 1
            self.times = _widened(self.times, at)
            self.offsets = _widened(self.offsets, offset)
            if len(self.places) < 2:
                self.places.add((realm, layer, day_of(received)))
            yield merkle.leaf(name, (content or "").encode() if binary is None else binary)


def leaves_of(connection: "DuckDBPyConnection", path: Path, kind: SegmentKind) -> Iterator[bytes]:
    """The Merkle leaves of the file's rows, in order."""
    return _Seen().leaves(_rows(connection, path, kind))


def row_faults(
    connection: "DuckDBPyConnection", path: Path, realm: Realm, segment: Segment, slices: Sequence[Slice] = ()
) -> str:
    """What in the file's rows is not as its entry says, empty when all is; ``slices`` are what it replaced."""
    seen = _Seen()
    wrong = []
    try:
        leaves: Iterator[bytes] | list[bytes] = seen.leaves(_rows(connection, path, segment.kind))
        if slices:
            leaves = list(leaves)
            moved = (one for one in slices if merkle.root(leaves[one.begin : one.end]) != one.merkle_root)
            wrong += [f"rows {one.begin} to {one.end - 1} are not those of entry {one.sequence}" for one in moved][:3]
        root = merkle.root(leaves)
    except Exception as error:
        return f"the rows cannot be read: {error}"
    if seen.rows != segment.rows:
        wrong.append(f"has {seen.rows} rows where {segment.rows} were sealed")
    if root != segment.merkle_root:
        wrong.append("the Merkle root of its rows is not the one sealed")
    if seen.times != (segment.min_time, segment.max_time):
        wrong.append("its times are not those sealed")
    if seen.offsets is None or seen.offsets[0] < segment.first_offset or seen.offsets[1] > segment.last_offset:
        wrong.append("its offsets are not those sealed")
    if seen.places != {(realm, segment.layer, segment.day)}:
        wrong.append(f"its rows are not all of {realm}, {segment.layer}, {segment.day}")
    return "; ".join(wrong)


def _rows(connection: "DuckDBPyConnection", path: Path, kind: SegmentKind) -> Iterator[tuple[Any, ...]]:
    """The rows in the order of the file."""
    sql = f"SELECT {_COLUMNS[kind]} FROM read_parquet(?)"  # noqa: S608 - our own columns
    result = connection.execute(sql, [[str(path.resolve())]])
    while rows := result.fetchmany(ROWS):
        yield from rows


def _widened(known: tuple[int, int] | None, value: int) -> tuple[int, int]:
    return (value, value) if known is None else (min(known[0], value), max(known[1], value))
