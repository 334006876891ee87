"""What a manifest keeps of compactions: which segments were replaced by which, and what a compaction's entry has more
than a segment's.

A compaction stands among the segments like any other, so that searches and retention need not know it; the table
``compaction`` has the rest of its entry. The replaced stay in ``replaced``: the chain needs them, searches do not.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from soc_model.layer import Layer
from soc_store.manifest_entry import Compaction, SegmentKind

SLICE = 500  # fewer than the variables that any SQLite takes in a statement

_CROWDS = """
SELECT kind, layer, day, count(*) FROM segment GROUP BY day, kind, layer HAVING count(*) > 1 ORDER BY day, kind, layer
"""
_STRAY = "SELECT sequence FROM compaction EXCEPT SELECT sequence FROM ({}) LIMIT 10"
_UNNAMED = "SELECT sequence FROM replaced WHERE compaction NOT IN (SELECT sequence FROM compaction) LIMIT 10"


class Crowd(NamedTuple):
    """The segments of one kind, layer and day received, when they are more than one: ``segments`` is how many."""

    kind: SegmentKind
    layer: Layer
    day: str
    segments: int


def extra_tables(segment: str, temporary: str = "") -> str:
    """The statements that make the tables, ``segment`` being the columns of an entry; ``TEMP`` for a reader of a file
    that has none yet."""
    tables = f"""
CREATE {temporary} TABLE replaced({segment}, compaction INTEGER NOT NULL);
CREATE {temporary} TABLE compaction(sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, replaced TEXT NOT NULL)"""
    indexes = """
CREATE INDEX replaced_by ON replaced(compaction);
CREATE INDEX segment_partition ON segment(day, kind, layer)"""
    return tables if temporary else f"{tables};{indexes};"


def crowds(connection: sqlite3.Connection) -> list[Crowd]:
    """The crowds there are, the oldest day first."""
    return [Crowd(kind, Layer(layer), day, n) for kind, layer, day, n in connection.execute(_CROWDS)]


def partition_segments(connection: sqlite3.Connection, columns: str, crowd: Crowd) -> list[tuple[Any, ...]]:
    """The rows of a crowd's segments in the order of what they hold."""
    sql = (
        f"SELECT {columns} FROM segment WHERE kind = ? AND layer = ? AND day = ?"  # noqa: S608 - our own
        " ORDER BY first_offset, last_offset, sequence"
    )
    return connection.execute(sql, (crowd.kind, crowd.layer, crowd.day)).fetchall()


def move_replaced(connection: sqlite3.Connection, columns: str, entry: Compaction) -> bool:
    """Move what an entry replaces out of what searches see; whether all of it was there."""
    by = [(sequence, entry.sequence) for sequence in entry.replaced]
    there = sum(
        connection.execute("SELECT count(*) FROM segment WHERE sequence = ?", (sequence,)).fetchone()[0]
        for sequence in entry.replaced
    )
    if there != len(by):
        return False
    insert = f"INSERT INTO replaced SELECT {columns}, ?2 FROM segment WHERE sequence = ?1"  # noqa: S608 - our own
    connection.executemany(insert, by)
    connection.executemany("DELETE FROM segment WHERE sequence = ?", [(sequence,) for sequence in entry.replaced])
    return True


def note_compaction(connection: sqlite3.Connection, entry: Compaction) -> None:
    """Keep what an entry has more than a segment's."""
    values = (entry.sequence, entry.at, msgspec.json.encode(entry.replaced).decode())
    connection.execute("INSERT INTO compaction VALUES (?, ?, ?)", values)


def extras(connection: sqlite3.Connection, sequences: Sequence[int]) -> dict[int, tuple[int, str]]:
    """What those of ``sequences`` that are compactions have more: when, and what they replaced."""
    found: dict[int, tuple[int, str]] = {}
    for begin in range(0, len(sequences), SLICE):
        part = sequences[begin : begin + SLICE]
        sql = f"SELECT sequence, at, replaced FROM compaction WHERE sequence IN ({', '.join('?' * len(part))})"  # noqa: S608
        found |= {sequence: (at, replaced) for sequence, at, replaced in connection.execute(sql, part)}
    return found


def replaced_rows(connection: sqlite3.Connection, columns: str, by: int) -> list[tuple[Any, ...]]:
    """The rows of what a compaction replaced."""
    sql = f"SELECT {columns} FROM replaced WHERE compaction = ?"  # noqa: S608 - our own columns
    return connection.execute(sql, (by,)).fetchall()


def compactions_named_wrongly(connection: sqlite3.Connection) -> list[str]:
    """Segments said to be replaced by what is no compaction, and compactions that are no segments; some of each."""
    segments = " UNION ALL ".join(f"SELECT sequence FROM {table}" for table in ("segment", "removed", "replaced"))  # noqa: S608
    stray = [one for (one,) in connection.execute(_STRAY.format(segments))]
    unnamed = [one for (one,) in connection.execute(_UNNAMED)]
    return [
        *(f"has a compaction {sequence} that no segment is" for sequence in stray),
        *(f"says that segment {sequence} was replaced, but by no compaction" for sequence in unnamed),
    ]
