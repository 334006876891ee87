"""Search of events, newest first: sealed segments by DuckDB, what is not sealed yet by Python.

Scope is part of every predicate; files come from the manifest, which also tells those that cannot hold a match.
"""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soc_model.event import COLUMNS
from soc_model.layer import Layer, Realm
from soc_model.outcome import RowBlock
from soc_model.scope import Scope
from soc_store.archive_view import ArchiveView, read_view
from soc_store.day import day_of
from soc_store.event_query import EventPage, EventQuery
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import Partition
from soc_store.manifest_entry import Segment
from soc_store.newest import Key, Newest
from soc_store.query_language import Node, parse, to_predicate, to_sql
from soc_store.search_predicate import Where, after_cursor, all_of, in_scope, is_one_of, newest_sql, realms_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILES = 8  # in the first reading of files; each further one takes twice as many
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_EVENT_KEY: Key = (0, 0, 0, 0, "")
_EVENT_ORDER = ('"@timestamp"', '"offset"', "coalesce(chunk, 0)", "coalesce(byte, 0)", "event_id")


def search_events(data: Path, scope: Scope, query: EventQuery) -> EventPage:
    """The newest events that the scope sees and the query asks for, each once.

    ``Problem`` for a bad text (``query:COLUMN``), cursor or limit.
    """
    tree = parse(query.text)
    realms = realms_in(scope, query.realms)
    return read_view(data, realms, lambda view: _events(data, scope.narrowed(frozenset(realms)), query, tree, view))


def _events(data: Path, scope: Scope, query: EventQuery, tree: Node, view: ArchiveView) -> EventPage:
    newest = Newest(query.limit, query.cursor, _EVENT_KEY)
    scanned = 0
    matches = to_predicate(tree)
    for offset, blocks in view.blocks():
        for block in blocks:
            if _is_asked(scope, query, block) and not view.is_sealed(_partition(block), offset):
                scanned += block.rows
                asked = (row for row in _rows(block, newest) if _row_is_asked(scope, query, row) and matches(row))
                newest.add((key, row) for row in asked if newest.takes(key := _event_key(row)))
    until = query.until if newest.after is None else min(_or(query.until, _HIGHEST), newest.after[0] + 1)
    where = _event_where(scope, query, tree)
    segments = _event_segments(view, query, _or(query.since, _LOWEST), _or(until, _HIGHEST))
    scanned += _read_segments(data, segments, where, newest)
    rows, cursor = newest.page()
    return EventPage(rows=[_shown(row) for row in rows], cursor=cursor, scanned_rows=scanned)


def _event_segments(view: ArchiveView, query: EventQuery, since: int, until: int) -> list[tuple[Realm, Segment]]:
    """The segments that may hold a match, the latest first."""
    found = [
        (realm, segment)
        for realm, manifest in view.manifests.items()
        for segment in manifest.by_time(since, until)
        if not query.layers or segment.layer in query.layers
    ]
    return sorted(found, key=lambda pair: pair[1].max_time, reverse=True)


def _read_segments(data: Path, segments: list[tuple[Realm, Segment]], where: Where, newest: Newest) -> int:
    """Read segments, the latest first, until no other can hold a newer row; how many rows they have."""
    scanned, begin, files = 0, 0, FILES
    if not segments:
        return 0
    folder = data / "archive"
    with open_duckdb(folder) as connection:
        while begin < len(segments) and newest.needs(segments[begin][1].max_time):
            part = segments[begin : begin + files]
            paths = [str(folder.resolve() / realm / segment.file) for realm, segment in part]
            newest.add((_event_key(row), row) for row in _select(connection, paths, where, newest))
            scanned += sum(segment.rows for _, segment in part)
            begin, files = begin + files, files * 2
    return scanned


def _select(
    connection: "DuckDBPyConnection", paths: list[str], where: Where, newest: Newest
) -> Iterator[dict[str, Any]]:
    listed = ", ".join(f'"{name}"' for name in COLUMNS)
    after = after_cursor(_EVENT_ORDER, newest)
    sql = newest_sql(listed, f"({where.sql}) AND {after.sql}", _EVENT_ORDER)
    rows = connection.execute(sql, [paths, *where.values, *after.values, newest.wanted]).fetchall()
    return (dict(zip(COLUMNS, row, strict=True)) for row in rows)


def _event_where(scope: Scope, query: EventQuery, tree: Node) -> Where:
    parts = [*in_scope(scope), is_one_of("layer", query.layers)]
    parts += [is_one_of("source_id", query.source_ids), is_one_of("event_id", query.event_ids)]
    parts.append(Where('"@timestamp" >= ?', [_or(query.since, _LOWEST)]))
    parts.append(Where('"@timestamp" < ?', [_or(query.until, _HIGHEST)]))
    parts.append(Where(*to_sql(tree)))
    return all_of(parts)


def _is_asked(scope: Scope, query: EventQuery, block: RowBlock) -> bool:
    """Whether a block may hold a match, by what all its rows share."""
    known = block.constants
    return (
        known["realm"] in scope.realms
        and (scope.units is None or "unit" not in known or known["unit"] in scope.units)
        and (not query.layers or known["layer"] in query.layers)
        and (not query.source_ids or "source_id" not in known or known["source_id"] in query.source_ids)
    )


def _row_is_asked(scope: Scope, query: EventQuery, row: dict[str, Any]) -> bool:
    return (
        scope.sees(row["unit"], row["realm"])
        and _or(query.since, _LOWEST) <= row["@timestamp"] < _or(query.until, _HIGHEST)
        and (not query.source_ids or row["source_id"] in query.source_ids)
        and (not query.event_ids or row["event_id"] in query.event_ids)
    )


def _rows(block: RowBlock, newest: Newest) -> Iterator[dict[str, Any]]:
    """The rows of a block, without those that are too old to be among the newest: making rows is what costs."""
    shared = dict.fromkeys(COLUMNS) | block.constants
    names, lists = list(block.columns), list(block.columns.values())
    times = block.columns["@timestamp"] if "@timestamp" in names else [shared["@timestamp"]] * block.rows
    for n, time in enumerate(times):
        if newest.needs(time):
            yield shared | {name: values[n] for name, values in zip(names, lists, strict=True)}


def _partition(block: RowBlock) -> Partition:
    known = block.constants
    return Partition(Realm(known["realm"]), Layer(known["layer"]), day_of(known["received"]))


def _event_key(row: dict[str, Any]) -> Key:
    return row["@timestamp"], row["offset"], row["chunk"] or 0, row["byte"] or 0, row["event_id"]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    binary = row["raw_binary"]
    return row if binary is None else row | {"raw_binary": b64encode(binary).decode()}


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
