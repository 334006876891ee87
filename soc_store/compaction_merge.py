"""Merging the files of segments: read-only for all that is sealed, writes one file under an unfinished name.

Comes in: the archive folder and the entries. Goes out: what the manifest shall remember of the new file. Nothing that
is not as it was sealed gets into it: each file's digest is checked before, each entry's Merkle root afterwards on what
was written. Meant for a process of its own, which the memory goes with.
"""

from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from soc_model.problem import Problem
from soc_store import merkle
from soc_store.compaction import Merge, Merged, slices
from soc_store.durable import sync_file
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest_entry import Segment
from soc_store.segment_rows import leaves_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "256MiB"
GROUP_ROWS = 20_480  # rows that can be passed over by their times; a sealed segment has about as many
GROUP_BYTES = "32MiB"  # in memory while it is written: records of 1 MiB make small groups
# Only numbers of our own are put together here; every value is a parameter.
_COPY = (
    "COPY (SELECT * FROM read_parquet($paths, union_by_name = true, hive_partitioning = false)) TO $made"  # noqa: S608
    f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP_ROWS}, ROW_GROUP_SIZE_BYTES '{GROUP_BYTES}')"
)


def unfinished_file(merge: Merge, name: str) -> str:
    """The name of the new file until it has its entry, relative to the realm's folder; a crash leaves it, and opening
    the archive removes it."""
    return f"{merge.kind}/{merge.day}/{merge.layer}-{name}.new"


def merge_segments(archive: Path, merge: Merge, name: str) -> Merged:
    """Write the rows of the segments into one file and sync it.

    ``Problem`` when a segment is not as it was sealed, or the rows written are not those sealed.
    """
    folder = (archive / merge.realm).resolve()
    for segment in merge.segments:
        _require_sealed(folder / segment.file, segment)
    file = unfinished_file(merge, name)
    made = folder / file
    # One thread, and so the rows keep their order; a second one would take time from the sealing.
    with open_duckdb(archive, memory=MEMORY, threads=1) as connection:
        paths = [str(folder / segment.file) for segment in merge.segments]
        connection.execute(_COPY, {"paths": paths, "made": str(made)})
        leaves = _written(connection, made, merge)
    sync_file(made)
    with made.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    return Merged(
        file=file,
        rows=len(leaves),
        bytes=made.stat().st_size,
        merkle_root=merkle.root(leaves),
        file_digest=digest,
    )


def _require_sealed(path: Path, segment: Segment) -> None:
    with path.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    if segment.alg != merkle.ALG or digest != segment.file_digest:
        raise Problem(str(path), "is not as it was sealed, and stays as it is: fengsui archive verify")


def _written(connection: "DuckDBPyConnection", made: Path, merge: Merge) -> Sequence[bytes]:
    """The leaves of the rows written, each segment's proved against its entry."""
    leaves = list(leaves_of(connection, made, merge.kind))
    parts = slices(merge.segments)
    if len(leaves) != parts[-1].end:
        raise Problem(str(made), f"has {len(leaves)} rows where {parts[-1].end} were to be merged")
    for part in parts:
        if merkle.root(leaves[part.begin : part.end]) != part.merkle_root:
            raise Problem(str(made), f"does not have the rows of segment {part.sequence}")
    return leaves
