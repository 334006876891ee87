"""The manifest of one realm's archive: an append-only chain of sealed segments, and the counts of what they hold.

``archive/<realm>/manifest.db``. One transaction (``synchronous=FULL``) seals a partition: its entries, its counts, how
far the partition is sealed, and how far the archive is. Another retires segments: the entry that says so, and the move
of theirs from ``segment``, which searches read, to ``removed``. A third puts a compaction in the place of segments, and
moves theirs to ``replaced``. Needs no DuckDB.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from soc_model.layer import Layer, Realm
from soc_model.outcome import Stat
from soc_store.manifest_compaction import (
    Crowd,
    compactions_named_wrongly,
    crowds,
    extra_tables,
    extras,
    move_replaced,
    note_compaction,
    partition_segments,
    replaced_rows,
)
from soc_store.manifest_entry import Compaction, Entry, Retention, Segment, SegmentKind, digest_of, ranges
from soc_store.versions import FileKind, create, open_reader, open_writer

FILE = "manifest.db"
_SEGMENT = """sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, layer TEXT NOT NULL, day TEXT NOT NULL,
  file TEXT NOT NULL, first_offset INTEGER NOT NULL, last_offset INTEGER NOT NULL, rows INTEGER NOT NULL,
  min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, bytes INTEGER NOT NULL, alg TEXT NOT NULL,
  merkle_root TEXT NOT NULL, file_digest TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL"""
#: Counts that ``Stat`` was given later, by name; made with the first of them, so that no version lacks a column.
_MORE = """
CREATE {} TABLE IF NOT EXISTS stat_more(source_id TEXT, dataset TEXT, day TEXT, layer TEXT, unit TEXT, realm TEXT,
  name TEXT, value INTEGER NOT NULL, PRIMARY KEY (source_id, dataset, day, layer, unit, realm, name)) WITHOUT ROWID;
"""
KIND = FileKind(
    "fengsui-manifest",
    3,
    f"""
CREATE TABLE segment({_SEGMENT});
CREATE INDEX segment_time ON segment(kind, max_time);
CREATE INDEX segment_offset ON segment(kind, last_offset);
CREATE TABLE sealed(layer TEXT, day TEXT, through INTEGER NOT NULL, PRIMARY KEY (layer, day)) WITHOUT ROWID;
CREATE TABLE progress(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE stat(source_id TEXT, dataset TEXT, day TEXT, layer TEXT, unit TEXT, realm TEXT,
  events INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, unparsed INTEGER NOT NULL, truncated INTEGER NOT NULL,
  time_flagged INTEGER NOT NULL, quarantined INTEGER NOT NULL, findings INTEGER NOT NULL,
  last_received INTEGER NOT NULL, lag_max_s REAL NOT NULL, last_problem TEXT NOT NULL,
  PRIMARY KEY (source_id, dataset, day, layer, unit, realm)) WITHOUT ROWID;
CREATE TABLE removed({_SEGMENT});
CREATE TABLE retention(sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, before TEXT NOT NULL,
  days INTEGER NOT NULL, basis TEXT NOT NULL, decision TEXT NOT NULL, segments TEXT NOT NULL, alg TEXT NOT NULL,
  previous TEXT NOT NULL, digest TEXT NOT NULL);
{extra_tables(_SEGMENT)}""",
)
_COLUMNS = ", ".join(Segment.__struct_fields__)
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
_STAT_MORE = """
INSERT INTO stat_more VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value
"""
_BY_TIME = """
SELECT * FROM segment WHERE kind = 'events' AND max_time >= ? AND min_time < ? ORDER BY max_time DESC, sequence DESC
"""
_TABLES = ("segment", "removed", "replaced", "retention")
_LAST = " UNION ALL ".join(f"SELECT max(sequence) AS last FROM {table}" for table in _TABLES)  # noqa: S608 - our own
_EXPIRED = "SELECT sequence FROM segment WHERE day < ? ORDER BY sequence LIMIT ?"
_BY_OFFSET = "SELECT * FROM segment WHERE kind = 'findings' AND last_offset >= ? AND first_offset <= ?"

_MISCOUNTED = """
SELECT layer, day, sum(counted), sum(sealed) FROM (
  SELECT layer, day, events AS counted, 0 AS sealed FROM stat
  UNION ALL SELECT layer, day, 0, rows FROM segment WHERE kind = 'events'
  UNION ALL SELECT layer, day, 0, rows FROM removed WHERE kind = 'events')
GROUP BY layer, day HAVING sum(counted) <> sum(sealed) LIMIT 10
"""


class Partition(NamedTuple):
    """What is sealed together: one realm, layer and day received (UTC, ``YYYY-MM-DD``)."""

    realm: Realm
    layer: Layer
    day: str


class Manifest:
    """The one writer of a realm's manifest."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> "Manifest":
        """The manifest in the realm's ``folder``, made where missing; ``Problem`` when its version is unknown."""
        if not (folder / FILE).exists():
            create(folder / FILE, KIND)
        connection = open_writer(folder / FILE, KIND)
        try:
            _upgrade(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def last_sequence(self) -> int:
        """The sequence of the last entry, 0 before the first."""
        return _last(self._connection)

    def is_removed(self, sequence: int) -> bool:
        """Whether that segment was retired or replaced; its file has no business on the disk."""
        sql = "SELECT 1 FROM removed WHERE sequence = :s UNION ALL SELECT 1 FROM replaced WHERE sequence = :s"
        return self._connection.execute(sql, {"s": sequence}).fetchone() is not None

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
                linked = msgspec.structs.replace(segment, previous=_digest_at(connection, segment.sequence - 1))
                connection.execute(_INSERT, (*msgspec.structs.astuple(linked)[:-1], digest_of(linked)))
            stats = list(stats)
            connection.executemany(_STAT, [tuple(getattr(stat, name) for name in _STAT_COLUMNS) for stat in stats])
            if more := list(_more(stats)):
                connection.execute(_MORE.format(""))
                connection.executemany(_STAT_MORE, more)
            connection.execute(_SEALED, (partition.layer, partition.day, sealed))
            connection.execute(_PROGRESS, (through,))

    def retire(self, rule: Retention, limit: int) -> list[Segment]:
        """Write a retention entry for the first ``limit`` segments of days before ``rule.before`` and take them out
        of what searches see, all or nothing; which they were. ``rule`` gives when and why, the rest is set here."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            expired = [sequence for (sequence,) in connection.execute(_EXPIRED, (rule.before, limit))]
            if not expired:
                return []
            last = _last(connection)
            named = {"sequence": last + 1, "segments": ranges(expired), "previous": _digest_at(connection, last)}
            entry = msgspec.structs.replace(rule, **named)
            _write_retention(connection, msgspec.structs.replace(entry, digest=digest_of(entry)))
            retired = []
            for first, end in entry.segments:
                rows = connection.execute("SELECT * FROM segment WHERE sequence BETWEEN ? AND ?", (first, end))
                retired += [_segment(row) for row in rows]
                connection.execute(
                    "INSERT INTO removed SELECT * FROM segment WHERE sequence BETWEEN ? AND ?", (first, end)
                )
                connection.execute("DELETE FROM segment WHERE sequence BETWEEN ? AND ?", (first, end))
        return retired

    def replace(self, entry: Compaction) -> bool:
        """Write the entry (its chain fields are set here) in the place of the segments it names, all or nothing;
        ``False``, and nothing is written, when one of them is not there any more."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            if not move_replaced(connection, _COLUMNS, entry):
                return False
            linked = msgspec.structs.replace(entry, previous=_digest_at(connection, entry.sequence - 1))
            _write_compaction(connection, msgspec.structs.replace(linked, digest=digest_of(linked)))
        return True

    def crowds(self) -> list[Crowd]:
        """The partitions that have more than one segment of a kind, the oldest day first."""
        return crowds(self._connection)

    def partition(self, crowd: Crowd) -> list[Segment]:
        """The segments of a kind in a partition, in the order of their rows."""
        rows = [("segment", row) for row in partition_segments(self._connection, _COLUMNS, crowd)]
        found = (entry_of(table, row) for table, row in _with_extras(self._connection, rows))
        return [entry for entry in found if isinstance(entry, Segment)]

    def size(self) -> tuple[int, int]:
        """How many segments searches see, and their bytes."""
        (segments, size) = self._connection.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM segment").fetchone()
        return int(segments), int(size)

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
        if not _has_compaction(self._connection):
            for statement in extra_tables(_SEGMENT, "TEMP").split(";"):
                self._connection.execute(statement)
        if not _has(self._connection, "stat_more"):
            self._connection.execute(_MORE.format("TEMP"))

    def by_time(self, since: int, until: int) -> list[Segment]:
        """The segments of events that may hold an event time in [``since``, ``until``), the latest first."""
        return [_segment(row) for row in self._connection.execute(_BY_TIME, (since, until))]

    def by_offset(self, first: int, last: int) -> list[Segment]:
        """The segments of findings that may hold an offset in [``first``, ``last``]."""
        return [_segment(row) for row in self._connection.execute(_BY_OFFSET, (first, last))]

    def of_kind(self, kind: SegmentKind, after: int) -> list[Segment]:
        """The segments of a kind above sequence ``after`` that are there, in sequence."""
        sql = "SELECT * FROM segment WHERE sequence > ? AND kind = ? ORDER BY sequence"
        return [_segment(row) for row in self._connection.execute(sql, (after, kind))]

    def segments(self) -> list[Segment]:
        """All segments that are there, in sequence."""
        return [_segment(row) for row in self._connection.execute("SELECT * FROM segment ORDER BY sequence")]

    def last_sequence(self) -> int:
        """The sequence of the last entry of any kind, 0 before the first."""
        return _last(self._connection)

    def entries(self, after: int, limit: int) -> list[tuple[str, tuple[Any, ...]]]:
        """Up to ``limit`` entries after a sequence, in sequence: the table each stands in and its row, as it stands."""
        found: list[tuple[str, tuple[Any, ...]]] = []
        for table in _TABLES:
            columns = "*" if table == "retention" else _COLUMNS
            sql = f"SELECT {columns} FROM {table} WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608 - ours
            found += [(table, row) for row in self._connection.execute(sql, (after, limit))]
        ordered = sorted(found, key=lambda entry: entry[1][0])[:limit]
        return list(_with_extras(self._connection, ordered))

    def is_replaced(self, sequence: int) -> bool:
        """Whether a compaction has the rows of that segment."""
        found = self._connection.execute("SELECT 1 FROM replaced WHERE sequence = ?", (sequence,)).fetchone()
        return found is not None

    def replaced_by(self, sequence: int) -> list[tuple[Any, ...]]:
        """The rows of the segments that a compaction replaced, as ``entries`` gives them, in no certain order."""
        rows = [("replaced", row) for row in replaced_rows(self._connection, _COLUMNS, sequence)]
        return [row for _, row in _with_extras(self._connection, rows)]

    def retentions(self) -> Iterator[Retention]:
        """The retention entries that can be read, in sequence."""
        for row in self._connection.execute("SELECT * FROM retention ORDER BY sequence"):
            with suppress(msgspec.MsgspecError, TypeError):
                entry = entry_of("retention", row)
                if isinstance(entry, Retention):
                    yield entry

    def names(self, sequence: int, file: str) -> bool:
        """Whether an entry, removed, replaced or not, has that sequence and file."""
        sql = "SELECT 1 FROM {} WHERE sequence = ? AND file = ?"
        tables = ("segment", "removed", "replaced")
        return any(self._connection.execute(sql.format(table), (sequence, file)).fetchone() for table in tables)

    def last_retention(self) -> int:
        """The sequence of the last retention entry, 0 before the first."""
        (last,) = self._connection.execute("SELECT coalesce(max(sequence), 0) FROM retention").fetchone()
        return int(last)

    def last_removal(self) -> int:
        """The sequence of the last entry that took segments from what searches see, 0 before the first."""
        (last,) = self._connection.execute("SELECT coalesce(max(sequence), 0) FROM compaction").fetchone()
        return max(int(last), self.last_retention())

    def digest(self, sequence: int) -> str:
        """The digest of an entry, empty when it is not there."""
        return _digest_at(self._connection, sequence)

    def counts(self) -> dict[str, int]:
        """How many segments and rows of each kind were ever sealed, and how many segments were removed since; a
        compaction seals nothing."""
        whole = " UNION ALL ".join(
            f"SELECT kind, rows, sequence FROM {table}"  # noqa: S608 - one of ours
            for table in ("segment", "removed", "replaced")
        )
        sealed = f"SELECT kind, rows FROM ({whole}) WHERE sequence NOT IN (SELECT sequence FROM compaction)"  # noqa: S608
        sql = f"SELECT kind, count(*), sum(rows) FROM ({sealed}) GROUP BY kind"  # noqa: S608 - our own
        found = {kind: (segments, rows) for kind, segments, rows in self._connection.execute(sql)}
        (removed,) = self._connection.execute("SELECT count(*) FROM removed").fetchone()
        return {
            "segments": sum(segments for segments, _ in found.values()),
            "events": found.get("events", (0, 0))[1],
            "findings": found.get("findings", (0, 0))[1],
            "sightings": found.get("sightings", (0, 0))[1],
            "removed": removed,
        }

    def bytes_by_day(self, since: str) -> dict[str, int]:
        """By day received, from ``since`` on: the bytes of its segments that are there."""
        sql = "SELECT day, sum(bytes) FROM segment WHERE day >= ? GROUP BY day"
        return dict(self._connection.execute(sql, (since,)).fetchall())

    def damage(self) -> list[str]:
        """What SQLite finds wrong in the file, and counts that are not those of the rows; at most some of each."""
        found = [str(text) for (text,) in self._connection.execute("PRAGMA integrity_check(10)") if text != "ok"]
        for layer, day, counted, sealed in self._connection.execute(_MISCOUNTED):
            found.append(f"counts {counted} events of {layer} on {day}, but its segments were sealed with {sealed}")
        return found + compactions_named_wrongly(self._connection)

    def stats(self) -> list[Stat]:
        """The counts of all sealed rows."""
        more: dict[tuple[str, ...], dict[str, int]] = {}
        for *key, name, value in self._connection.execute("SELECT * FROM stat_more"):
            more.setdefault(tuple(key), {})[name] = value
        rows = self._connection.execute("SELECT * FROM stat").fetchall()
        return [
            msgspec.convert(dict(zip(_STAT_COLUMNS, row, strict=True)) | more.get(row[:_STAT_KEY], {}), Stat)
            for row in rows
        ]

    def close(self) -> None:
        """End the view."""
        self._connection.close()


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file of the version before to this one."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        if not _has_compaction(connection):
            for statement in extra_tables(_SEGMENT).split(";"):
                connection.execute(statement)
            connection.execute("UPDATE meta SET value = ? WHERE name = 'version'", (KIND.version,))


def _has_compaction(connection: sqlite3.Connection) -> bool:
    return _has(connection, "compaction")


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _more(stats: Iterable[Stat]) -> Iterator[tuple[Any, ...]]:
    """The counts of ``stat_more`` that are not zero, each with the key of its row in ``stat``."""
    for stat in stats:
        for name in _LATER:
            if value := getattr(stat, name):
                yield (*(getattr(stat, column) for column in _STAT_COLUMNS[:_STAT_KEY]), name, value)


def _write_compaction(connection: sqlite3.Connection, entry: Compaction) -> None:
    connection.execute(_INSERT, tuple(getattr(entry, name) for name in Segment.__struct_fields__))
    note_compaction(connection, entry)


def _with_extras(
    connection: sqlite3.Connection, entries: Sequence[tuple[str, tuple[Any, ...]]]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Rows of segments, those of compactions with what only these have, before the chain fields."""
    more = extras(connection, [row[0] for _, row in entries])
    for table, row in entries:
        known = table != "retention" and row[0] in more
        yield table, (*row[:-2], *more[row[0]], *row[-2:]) if known else row


def _write_retention(connection: sqlite3.Connection, entry: Retention) -> None:
    values = msgspec.structs.asdict(entry) | {"segments": msgspec.json.encode(entry.segments).decode()}
    connection.execute("INSERT INTO retention VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", tuple(values.values()))


def _last(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute(f"SELECT coalesce(max(last), 0) FROM ({_LAST})").fetchone()  # noqa: S608 - our own
    return int(last)


def _digest_at(connection: sqlite3.Connection, sequence: int) -> str:
    """The digest of an entry, empty when it is not there."""
    for table in _TABLES:
        sql = f"SELECT digest FROM {table} WHERE sequence = ?"  # noqa: S608 - one of ours
        if row := connection.execute(sql, (sequence,)).fetchone():
            return str(row[0])
    return ""


def entry_of(table: str, row: tuple[Any, ...]) -> Entry:
    """The entry that a row of a table is; raises ``msgspec.MsgspecError`` when it is none."""
    if table != "retention":
        return _segment(row) if len(row) == len(Segment.__struct_fields__) else _compaction(row)
    named = dict(zip(Retention.__struct_fields__, row, strict=True))
    named["segments"] = msgspec.json.decode(named["segments"])
    return msgspec.convert(named | {"type": "retention"}, Retention)


def _sealed(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute("SELECT layer, day, through FROM sealed")
    return {(layer, day): through for layer, day, through in rows}


def _through(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM progress WHERE name = 'through'").fetchone()
    return int(row[0]) if row else 0


def _segment(row: tuple[Any, ...]) -> Segment:
    return msgspec.convert(dict(zip(Segment.__struct_fields__, row, strict=True)), Segment)


def _compaction(row: tuple[Any, ...]) -> Compaction:
    names = (*Segment.__struct_fields__[:-2], "at", "replaced", *Segment.__struct_fields__[-2:])
    named = dict(zip(names, row, strict=True))
    named["replaced"] = msgspec.json.decode(named["replaced"])
    return msgspec.convert(named | {"type": "compaction"}, Compaction)


_STAT_COLUMNS = (
    *("source_id", "dataset", "day", "layer", "unit", "realm", "events", "raw_bytes", "unparsed", "truncated"),
    *("time_flagged", "quarantined", "findings", "last_received", "lag_max_s", "last_problem"),
)
_STAT_KEY = 6  # so many columns of it are the key
_LATER = ("sightings_capped",)
