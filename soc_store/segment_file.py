"""The two kinds of segment files: rows of events, and findings; what a sealed one is remembered by."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from soc_model.event import COLUMNS
from soc_model.finding import Finding
from soc_model.outcome import RowBlock
from soc_store import merkle
from soc_store.durable import make_folder, publish, sync_folder
from soc_store.manifest import Partition
from soc_store.manifest_entry import Segment, SegmentKind, file_of
from soc_store.packing import jsoned
from soc_store.parquet import write_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FINDING_COLUMNS = {
    "finding_id": "VARCHAR",
    "rule_id": "VARCHAR",
    "event_id": "VARCHAR",
    "key": "VARCHAR",
    "level": "VARCHAR",
    "layer": "VARCHAR",
    "unit": "VARCHAR",
    "realm": "VARCHAR",
    "source_id": "VARCHAR",
    "at": "BIGINT",
    "received": "BIGINT",
    "offset": "BIGINT",
    "body": "VARCHAR",
}
_TYPES: dict[SegmentKind, dict[str, str]] = {"events": COLUMNS, "findings": FINDING_COLUMNS}
UNFINISHED = ".new"


class Place(NamedTuple):
    """Where a segment goes: the realm's folder, the partition, the sequence of its entry."""

    folder: Path
    partition: Partition
    sequence: int


def write_events(connection: "DuckDBPyConnection", place: Place, blocks: Sequence[RowBlock], offsets: range) -> Segment:
    """Write the rows of ``blocks`` (of the batches ``offsets``); what the manifest shall remember of them."""
    columns = {name: values for name in COLUMNS if (values := _joined(blocks, name)) is not None}
    leaves = map(merkle.leaf, columns["event_id"], _contents(columns))
    written = _write(connection, place, "events", columns)
    return _segment(place, written, merkle.root(leaves), columns["@timestamp"], offsets)


def write_findings(
    connection: "DuckDBPyConnection", place: Place, findings: Sequence[Finding], offsets: range
) -> Segment:
    """Write the findings (of the batches ``offsets``); what the manifest shall remember of them."""
    columns: dict[str, list[Any]] = {
        name: [getattr(one, name) for one in findings] for name in FINDING_COLUMNS if name != "body"
    }
    columns["body"] = [jsoned(one) for one in findings]
    leaves = map(merkle.leaf, columns["finding_id"], (body.encode() for body in columns["body"]))
    written = _write(connection, place, "findings", columns)
    return _segment(place, written, merkle.root(leaves), columns["at"], offsets)


def segment_files(folder: Path) -> Iterator[Path]:
    """The Parquet files in a realm's ``folder``; a folder removed meanwhile is no error, as ``glob`` would make it."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".parquet"))


def orphans(folder: Path, last_sequence: int) -> list[Path]:
    """The files in a realm's ``folder`` that a crash left between their writing and their entry in the manifest."""
    files = [path for path in folder.glob("*/*/*") if path.suffix in (UNFINISHED, ".parquet")]
    return [path for path in files if path.suffix == UNFINISHED or sequence_of(path) > last_sequence]


def remove(paths: Iterable[Path]) -> None:
    """Remove files of segments, and the folders of days that are empty then; one that is gone already is no error."""
    folders = set()
    for path in paths:
        path.unlink(missing_ok=True)
        folders.add(path.parent)
    for folder in sorted(folders):
        with suppress(OSError):  # not empty, or gone
            folder.rmdir()
        sync_folder(folder if folder.exists() else folder.parent)


def sequence_of(path: Path) -> int:
    """The sequence in the name of a segment file, 0 where it is none of ours."""
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _joined(blocks: Sequence[RowBlock], name: str) -> list[Any] | None:
    """The values of one column over all blocks, ``None`` when none has it."""
    if not any(name in block.columns or name in block.constants for block in blocks):
        return None
    parts: Iterable[Iterable[Any]] = (
        block.columns[name] if name in block.columns else repeat(block.constants.get(name), block.rows)
        for block in blocks
    )
    return list(chain.from_iterable(parts))


def _contents(columns: dict[str, list[Any]]) -> Iterable[bytes]:
    """The exact raw of each row: its bytes where it was not valid UTF-8, else its text."""
    raws = columns.get("raw") or [""] * len(columns["event_id"])
    binaries = columns.get("raw_binary")
    if binaries is None:
        return (_bytes(raw) for raw in raws)
    return (_bytes(raw) if binary is None else binary for raw, binary in zip(raws, binaries, strict=True))


def _bytes(raw: str | None) -> bytes:
    return (raw or "").encode("utf-8", "backslashreplace")


class _Written(NamedTuple):
    kind: SegmentKind
    file: str
    size_bytes: int
    digest: str


def _write(
    connection: "DuckDBPyConnection", place: Place, kind: SegmentKind, columns: dict[str, list[Any]]
) -> _Written:
    file = file_of(kind, place.partition.day, place.partition.layer, place.sequence)
    final = place.folder / file
    made = final.with_suffix(UNFINISHED)
    make_folder(final.parent)
    write_parquet(connection, made, _TYPES[kind], columns)
    content = made.read_bytes()
    publish(made, final)
    return _Written(kind, file, len(content), sha256(content).hexdigest())


def _segment(place: Place, written: _Written, merkle_root: str, times: Sequence[int], offsets: range) -> Segment:
    return Segment(
        sequence=place.sequence,
        kind=written.kind,
        layer=place.partition.layer,
        day=place.partition.day,
        file=written.file,
        first_offset=offsets.start,
        last_offset=offsets.stop - 1,
        rows=len(times),
        min_time=min(times),
        max_time=max(times),
        bytes=written.size_bytes,
        alg=merkle.ALG,
        merkle_root=merkle_root,
        file_digest=written.digest,
    )
