"""The manifest of one realm's archive: an append-only chain of sealed segments, and the counts of what they hold.

``archive/<realm>/manifest.db``. One transaction (``synchronous=FULL``) seals a partition: its entries, its counts, how
far the partition is sealed, and how far the archive is. Needs no DuckDB.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from soc_model.layer import Layer, Realm
from soc_model.outcome import Stat
from soc_store.versions import FileKind, create, open_reader, open_writer

SegmentKind = Literal["events", "findings"]
FILE = "manifest.db"
KIND = FileKind(
    "fengsui-manifest",
    1,
    """
CREATE TABLE segment(sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, layer TEXT NOT NULL, day TEXT NOT NULL,
  file TEXT NOT NULL, first_offset INTEGER NOT NULL, last_offset INTEGER NOT NULL, rows INTEGER NOT NULL,
  min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, bytes INTEGER NOT NULL, alg TEXT NOT NULL,
  merkle_root TEXT NOT NULL, file_digest TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL);
CREATE INDEX segment_time ON segment(kind, max_time);
CREATE INDEX segment_offset ON segment(kind, last_offset);
CREATE TABLE sealed(layer TEXT, day TEXT, through INTEGER NOT NULL, PRIMARY KEY (layer, day)) WITHOUT ROWID;
CREATE TABLE progress(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE stat(source_id TEXT, dataset TEXT, day TEXT, layer TEXT, unit TEXT, realm TEXT,
  events INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, unparsed INTEGER NOT NULL, truncated INTEGER NOT NULL,
  time_flagged INTEGER NOT NULL, quarantined INTEGER NOT NULL, findings INTEGER NOT NULL,
  last_received INTEGER NOT NULL, lag_max_s REAL NOT NULL, last_problem TEXT NOT NULL,
  PRIMARY KEY (source_id, dataset, day, layer, unit, realm)) WITHOUT ROWID;
""",
)
_INSERT = "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SEALED = "INSERT INTO sealed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET through = excluded.through"
_PROGRESS = "INSERT INTO progress VALUES ('through', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)"
_STAT = """
INSERT INTO stat VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  events = events + excluded.events, raw_bytes = raw_bytes + excluded.raw_bytes,
  unparsed = unparsed + excluded.unparsed, truncated = truncated + excluded.truncated,
  time_flagged = time_flagged + excluded.time_flagged, quarantined = quarantined + excluded.quarantined,
  findings = findings + excluded.findings, last_received = max(last_received, excluded.last_received),
  lag_max_s = max(lag_max_s, excluded.lag_max_s),
  last_problem = CASE excluded.last_problem WHEN '' THEN last_problem ELSE excluded.last_problem END
"""
_BY_TIME = """
SELECT * FROM segment WHERE kind = 'events' AND max_time >= ? AND min_time < ? ORDER BY max_time DESC, sequence DESC
"""
_BY_OFFSET = "SELECT * FROM segment WHERE kind = 'findings' AND last_offset >= ? AND first_offset <= ?"


class Partition(NamedTuple):
    """What is sealed together: one realm, layer and day received (UTC, ``YYYY-MM-DD``)."""

    realm: Realm
    layer: Layer
    day: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed file and its place in the chain; ``file`` is relative to the realm's folder.

    ``merkle_root`` is over (event_id, hash of raw), for findings over (finding_id, hash of body), in row order.
    ``previous`` is the ``digest`` of the entry before, empty for the first.
    """

    sequence: int
    kind: SegmentKind
    layer: Layer
    day: str
    file: str
    first_offset: int
    last_offset: int
    rows: int
    min_time: int
    max_time: int
    bytes: int
    alg: str
    merkle_root: str
    file_digest: str
    previous: str = ""
    digest: str = ""


class Manifest:
    """The one writer of a realm's manifest."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> "Manifest":
        """The manifest in the realm's ``folder``, made where missing; ``Problem`` when its version is unknown."""
        if not (folder / FILE).exists():
            create(folder / FILE, KIND)
        return cls(open_writer(folder / FILE, KIND))

    def last_sequence(self) -> int:
        """The sequence of the last entry, 0 before the first."""
        (last,) = self._connection.execute("SELECT coalesce(max(sequence), 0) FROM segment").fetchone()
        return int(last)

    def sealed(self) -> dict[tuple[str, str], int]:
        """By (layer, day): every row of that partition at or below this offset is sealed."""
        return _sealed(self._connection)

    def through(self) -> int:
        """Every row of the whole archive at or below this offset was sealed when this manifest was last written."""
        return _through(self._connection)

    def seal(
        self, partition: Partition, segments: Sequence[Segment], stats: Iterable[Stat], sealed: int, through: int
    ) -> None:
        """Write the entries (in sequence, their chain fields are set here), counts and progress, all or nothing."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            for segment in segments:
                connection.execute(_INSERT, msgspec.structs.astuple(_chained(connection, segment)))
            connection.executemany(_STAT, [tuple(getattr(stat, name) for name in _STAT_COLUMNS) for stat in stats])
            connection.execute(_SEALED, (partition.layer, partition.day, sealed))
            connection.execute(_PROGRESS, (through,))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class ManifestReader:
    """One consistent view of a realm's manifest: everything it gives is of the moment it was opened."""

    def __init__(self, folder: Path) -> None:
        self._connection = open_reader(folder / FILE, KIND)
        self._connection.execute("BEGIN")
        self.sealed = _sealed(self._connection)  # the first read begins the view
        self.through = _through(self._connection)

    def by_time(self, since: int, until: int) -> list[Segment]:
        """The segments of events that may hold an event time in [``since``, ``until``), the latest first."""
        return [_segment(row) for row in self._connection.execute(_BY_TIME, (since, until))]

    def by_offset(self, first: int, last: int) -> list[Segment]:
        """The segments of findings that may hold an offset in [``first``, ``last``]."""
        return [_segment(row) for row in self._connection.execute(_BY_OFFSET, (first, last))]

    def segments(self) -> list[Segment]:
        """All entries in sequence."""
        return [_segment(row) for row in self._connection.execute("SELECT * FROM segment ORDER BY sequence")]

    def stats(self) -> list[Stat]:
        """The counts of all sealed rows."""
        rows = self._connection.execute("SELECT * FROM stat").fetchall()
        return [msgspec.convert(dict(zip(_STAT_COLUMNS, row, strict=True)), Stat) for row in rows]

    def close(self) -> None:
        """End the view."""
        self._connection.close()


def broken_links(folder: Path, segments: Sequence[Segment]) -> list[str]:
    """What does not hold in a chain: entries changed, taken out or put in, and files that are not as sealed."""
    wrong, previous = [], ""
    for number, segment in enumerate(segments, 1):
        unlinked = msgspec.structs.replace(segment, digest="")
        if segment.sequence != number or segment.previous != previous or segment.digest != _digest(unlinked):
            wrong.append(f"entry {segment.sequence} does not follow the entry before it")
        path = folder / segment.file
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != segment.file_digest:
            wrong.append(f"{segment.file} is not as it was sealed")
        previous = segment.digest
    return wrong


def _chained(connection: sqlite3.Connection, segment: Segment) -> Segment:
    row = connection.execute("SELECT digest FROM segment WHERE sequence = ?", (segment.sequence - 1,)).fetchone()
    linked = msgspec.structs.replace(segment, previous=row[0] if row else "", digest="")
    return msgspec.structs.replace(linked, digest=_digest(linked))


def _digest(segment: Segment) -> str:
    return sha256(msgspec.json.encode(segment, order="sorted")).hexdigest()


def _sealed(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute("SELECT layer, day, through FROM sealed")
    return {(layer, day): through for layer, day, through in rows}


def _through(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM progress WHERE name = 'through'").fetchone()
    return int(row[0]) if row else 0


def _segment(row: tuple[Any, ...]) -> Segment:
    return msgspec.convert(dict(zip(Segment.__struct_fields__, row, strict=True)), Segment)


_STAT_COLUMNS = (
    *("source_id", "dataset", "day", "layer", "unit", "realm", "events", "raw_bytes", "unparsed", "truncated"),
    *("time_flagged", "quarantined", "findings", "last_received", "lag_max_s", "last_problem"),
)
