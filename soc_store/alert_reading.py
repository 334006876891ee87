"""Reads alerts: pages by keyset, counts, histograms. Scope and filter are one predicate over cells.

SQLite is told how to go: a small set (of cells, of an entity's alerts, of a time) is fetched and sorted; otherwise the
index of the sort is walked, testing each entry against the set of cells, until the page is full. An index that shall
not be used is hidden by ``+ 0``.
"""

from collections import Counter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, Select, and_, exists, func, literal, select, tuple_

from soc_model.alert import Alert, AlertState
from soc_model.entity_value import entity_value
from soc_model.finding import RuleCard
from soc_model.layer import Layer, Level, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.alert_filter import AlertCounts, AlertFilter, AlertPage, Sort
from soc_store.keyset import decode_cursor, encode_cursor
from soc_store.state_tables import alert, alert_entity, card, cell

FEW = 5_000
_SORTS: dict[Sort, tuple[Column[Any], ...]] = {
    "last_seen": (alert.c.last_seen, alert.c.id),
    "level": (alert.c.level, alert.c.last_seen, alert.c.id),
    "count": (alert.c.count, alert.c.last_seen, alert.c.id),
}
Condition = ColumnElement[bool]


class _Way(NamedTuple):
    """Which condition leads to the rows: one of those with few rows, or ``order``."""

    by: str
    rows: int


def read_page(
    connection: Connection, scope: Scope, wanted: AlertFilter, *, sort: Sort, limit: int, cursor: str | None
) -> AlertPage:
    """Up to ``limit`` alerts, the latest (gravest, most frequent) first; ``Problem`` for a cursor of another order."""
    way = _choose(connection, scope, wanted)
    if way.rows == 0:
        return AlertPage(alerts=[], cursor=None)
    columns = _SORTS[sort]
    query = select(*columns).where(*_conditions(scope, wanted, way.by, sort))
    shown = columns if way.by == "order" else tuple(column + 0 for column in columns)
    if cursor is not None:
        after = _values(cursor, sort)
        query = query.where(tuple_(*shown) < tuple_(*map(literal, after)))
    rows = connection.execute(query.order_by(*(column.desc() for column in shown)).limit(limit + 1)).all()
    more = encode_cursor([sort, *rows[limit - 1]]) if len(rows) > limit else None
    return AlertPage(alerts=read_alerts(connection, scope, [row[-1] for row in rows[:limit]]), cursor=more)


def read_alerts(connection: Connection, scope: Scope, ids: list[int]) -> list[Alert]:
    """The alerts of ``ids`` that the scope sees, in the order of ``ids``."""
    query = (
        select(alert, cell.c.unit, cell.c.realm, cell.c.layer, cell.c.state, cell.c.card_id, card.c.body)
        .join(cell, cell.c.id == alert.c.cell_id)
        .join(card, card.c.id == cell.c.card_id)
        .where(alert.c.id.in_(ids), *_scope(scope))
    )
    cards: dict[int, RuleCard] = {}
    found = {row.id: _alert(row, cards) for row in connection.execute(query)}
    return [found[one] for one in ids if one in found]


def read_counts(connection: Connection, scope: Scope, wanted: AlertFilter) -> AlertCounts:
    """How many alerts the scope sees under the filter; sums over cells unless time or entity is asked for."""
    columns = (cell.c.level, cell.c.layer, cell.c.state, cell.c.realm)
    if wanted.since is None and wanted.until is None and not wanted.entity:
        query = select(*columns, func.sum(cell.c.alerts)).where(*_cells(scope, wanted)).group_by(*columns)
    else:
        way = _choose(connection, scope, wanted)
        per_cell = (
            select(alert.c.cell_id, func.count().label("n"))
            .where(*_conditions(scope, wanted, way.by, "last_seen"))
            .group_by(alert.c.cell_id)
            .subquery()
        )
        joined = cell.join(per_cell, cell.c.id == per_cell.c.cell_id)
        query = select(*columns, func.sum(per_cell.c.n)).select_from(joined).group_by(*columns)
    return _counts([tuple(row) for row in connection.execute(query)])


def read_histogram(
    connection: Connection, scope: Scope, wanted: AlertFilter, *, since: int, until: int, buckets: int
) -> list[tuple[int, dict[Level, int]]]:
    """``buckets`` equal spans of [``since``, ``until``) by the time last seen: (start, alerts by level)."""
    width = max(1, -(-(until - since) // buckets))
    spans: list[tuple[int, dict[Level, int]]] = [(since + n * width, {}) for n in range(buckets)]
    within = msgspec.structs.replace(
        wanted,
        since=since if wanted.since is None else max(since, wanted.since),
        until=until if wanted.until is None else min(until, wanted.until),
    )
    bucket = ((alert.c.last_seen - since) // width).label("bucket")
    way = _choose(connection, scope, within)
    query = select(bucket, alert.c.level, func.count()).where(*_conditions(scope, within, way.by, "last_seen"))
    for number, level, n in connection.execute(query.group_by(bucket, alert.c.level)):
        spans[number][1][Level.of_rank(level)] = n
    return spans


def read_rule_alerts(connection: Connection, scope: Scope) -> dict[str, tuple[int, int]]:
    """By rule id: how many alerts the scope sees, and the last time one was seen; rules without any are not there."""
    newest = select(func.max(alert.c.last_seen)).where(alert.c.cell_id == cell.c.id).scalar_subquery()
    query = (
        select(card.c.rule_id, func.sum(cell.c.alerts), func.max(newest))
        .join(card, card.c.id == cell.c.card_id)
        .where(cell.c.alerts > 0, *_scope(scope))
        .group_by(card.c.rule_id)
    )
    return {rule_id: (alerts, last_seen) for rule_id, alerts, last_seen in connection.execute(query)}


def read_rules_updated(connection: Connection, scope: Scope) -> dict[str, int]:
    """By rule id: when an alert that the scope sees was last added to, by the center's clock."""
    query = (
        select(card.c.rule_id, func.max(alert.c.updated))
        .join(cell, cell.c.card_id == card.c.id)
        .join(alert, alert.c.cell_id == cell.c.id)
        .where(cell.c.alerts > 0, *_scope(scope))
        .group_by(card.c.rule_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _choose(connection: Connection, scope: Scope, wanted: AlertFilter) -> _Way:
    """The narrowest way: few rows are fetched and sorted, else the order is walked."""
    in_cells = connection.execute(select(func.sum(cell.c.alerts)).where(*_cells(scope, wanted))).scalar() or 0
    ways = [_Way("cells", in_cells)]
    if wanted.entity:
        ways.append(_Way("entity", _at_most_few(connection, select(1).where(_has_entity(wanted)))))
    if wanted.since is not None or wanted.until is not None:
        ways.append(_Way("time", _at_most_few(connection, select(1).where(*_times(alert.c.last_seen, wanted)))))
    best = min(ways, key=lambda way: way.rows)
    return best if best.rows <= FEW else _Way("order", best.rows)


def _at_most_few(connection: Connection, query: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(query.limit(FEW + 1).subquery())).scalar() or 0


def _conditions(scope: Scope, wanted: AlertFilter, by: str, sort: Sort) -> list[Condition]:
    cells = select(cell.c.id).where(*_cells(scope, wanted))
    cell_id = alert.c.cell_id if by == "cells" else alert.c.cell_id + 0
    walked = by == "time" or (by == "order" and sort == "last_seen")
    conditions: list[Condition] = [cell_id.in_(cells)]
    conditions += _times(alert.c.last_seen if walked else alert.c.last_seen + 0, wanted)
    if wanted.entity and by == "entity":
        conditions.append(alert.c.id.in_(select(alert_entity.c.alert_id).where(_has_entity(wanted))))
    elif wanted.entity:
        conditions.append(exists().where(_has_entity(wanted), alert_entity.c.alert_id == alert.c.id))
    return conditions


def _has_entity(wanted: AlertFilter) -> Condition:
    return alert_entity.c.value == entity_value(wanted.entity)


def _times(last_seen: ColumnElement[int], wanted: AlertFilter) -> list[Condition]:
    since = [] if wanted.since is None else [last_seen >= wanted.since]
    return since + ([] if wanted.until is None else [last_seen < wanted.until])


def _scope(scope: Scope) -> list[Condition]:
    seen: list[Condition] = [cell.c.realm.in_(sorted(scope.realms))]
    return seen if scope.units is None else [*seen, cell.c.unit.in_(sorted(scope.units))]


def _cells(scope: Scope, wanted: AlertFilter) -> list[Condition]:
    """Scope and filter over cells, without time and entity."""
    conditions = [*_scope(scope), cell.c.alerts > 0]
    listed: tuple[tuple[Column[Any], tuple[Any, ...]], ...] = (
        (cell.c.state, wanted.states),
        (cell.c.level, tuple(level.rank for level in wanted.levels)),
        (cell.c.layer, wanted.layers),
        (cell.c.realm, wanted.realms),
        (cell.c.unit, wanted.units),
    )
    conditions += [column.in_(values) for column, values in listed if values]
    if wanted.min_level is not None:
        conditions.append(cell.c.level >= wanted.min_level.rank)
    return [*conditions, *_cards(wanted)]


def _cards(wanted: AlertFilter) -> list[Condition]:
    asked: list[Condition] = [card.c.rule_id == wanted.rule_id] if wanted.rule_id else []
    if wanted.text:
        asked.append(card.c.titles.contains(wanted.text.casefold(), autoescape=True))
    return [cell.c.card_id.in_(select(card.c.id).where(and_(*asked)))] if asked else []


def _values(cursor: str, sort: Sort) -> list[int]:
    named, *values = decode_cursor(cursor) or [""]
    numbers = [value for value in values if isinstance(value, int)]
    if named != sort or len(numbers) != len(_SORTS[sort]) or len(values) != len(numbers):
        raise Problem("cursor", f"is not one of the list by {sort}")
    return numbers


def _counts(rows: list[tuple[Any, ...]]) -> AlertCounts:
    tallies: list[Counter[Any]] = [Counter(), Counter(), Counter(), Counter()]
    for *names, n in rows:
        for tally, name in zip(tallies, names, strict=True):
            tally[name] += n
    levels, layers, states, realms = tallies
    return AlertCounts(
        total=levels.total(),
        by_level={Level.of_rank(rank): n for rank, n in sorted(levels.items())},
        by_layer={Layer(name): n for name, n in layers.items()},
        by_state={AlertState(name): n for name, n in states.items()},
        by_realm={Realm(name): n for name, n in realms.items()},
    )


def _alert(row: Row[Any], cards: dict[int, RuleCard]) -> Alert:
    if row.card_id not in cards:
        cards[row.card_id] = msgspec.json.decode(row.body, type=RuleCard)
    values = row._mapping
    plain = ("id", "key", "unit", "source_id", "count", "storm_count", "first_seen", "last_seen", "created", "updated")
    return Alert(
        **{name: values[name] for name in (*plain, "first_offset", "last_offset", "sample_event_id")},
        **{name: msgspec.json.decode(values[name]) for name in ("group", "entities", "matched")},
        rule=cards[row.card_id],
        level=Level.of_rank(row.level),
        layer=Layer(row.layer),
        realm=Realm(row.realm),
        state=AlertState(row.state),
    )
