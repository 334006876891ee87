"""Writes alerts: one triage tick, or one person's change of state, with cells, entities and outbox in the same
transaction."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, insert, select, text, update

from soc_model.alert import ENTITY_VALUES, Alert, AlertDelta, AlertState
from soc_model.audit import Act
from soc_model.entity_value import entity_value
from soc_model.finding import RuleCard
from soc_model.layer import Level
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.rule_state import RuleState
from soc_model.scope import Scope
from soc_store.alert_reading import read_alerts
from soc_store.audit import write_act
from soc_store.correlation_store import CorrelationStep, write_step
from soc_store.outbox import Notice, write_outbox
from soc_store.packing import jsoned, storable
from soc_store.rule_hours import count_findings
from soc_store.sequence import next_numbers, read_number, set_number
from soc_store.state_tables import alert, alert_change, cell

SLICE = 500
_CARD = text(
    "INSERT INTO card(digest, rule_id, titles, body) VALUES (:digest, :rule_id, :titles, :body)"
    " ON CONFLICT(digest) DO UPDATE SET digest = excluded.digest RETURNING id"
)
_CELL = text(
    "INSERT INTO cell(unit, realm, layer, level, state, card_id, alerts)"
    " VALUES (:unit, :realm, :layer, :level, :state, :card_id, :alerts)"
    " ON CONFLICT(unit, realm, layer, level, state, card_id) DO UPDATE SET alerts = cell.alerts + excluded.alerts"
    " RETURNING id"
)
_ENTITY = text("INSERT INTO alert_entity(value, alert_id) VALUES (:value, :alert_id) ON CONFLICT DO NOTHING")


class _Cell(NamedTuple):
    unit: str
    realm: str
    layer: str
    level: int
    state: str
    card_id: int


class _Change(NamedTuple):
    """An alert after a delta: its cell, its row, and the cell it was in (``None`` where it is new)."""

    cell: _Cell
    before: _Cell | None
    row: dict[str, Any]
    entities: dict[str, list[str]]
    rule: RuleCard


def write_tick(
    connection: Connection,
    deltas: Sequence[AlertDelta],
    cursor: int,
    now: int,
    *,
    after: int | None,
    step: CorrelationStep | None,
) -> list[int]:
    """The ids of the alerts that were opened or changed; none when ``cursor`` is not above the stored one.

    Findings of rules in state test are counted and raise no alert.
    With a step a tick may also stay at the cursor: time went by, and windows of correlations were closed.

    ``Problem`` when the deltas do not begin at the stored cursor, so that some would be counted twice or left out.
    """
    stored = read_number(connection, "cursor")
    if after is not None and after != stored:
        raise Problem("triage", f"deltas from offset {after} on do not follow the stored cursor {stored}")
    if cursor < stored or (cursor == stored and (step is None or after is None)):
        return []
    if step is not None:
        write_step(connection, step, now)
    set_number(connection, "cursor", cursor)
    count_findings(connection, deltas, now)
    deltas = [delta for delta in deltas if delta.rule.state is not RuleState.TEST]
    if not deltas:
        return []
    changes = _changes(connection, deltas, now)
    cells = _move(connection, changes)
    _write_rows(connection, changes, cells)
    write_outbox(connection, [_notice(change, now) for change in changes])
    return [change.row["id"] for change in changes]


def write_state(
    connection: Connection, scope: Scope, alert_id: int, state: AlertState, *, person: str, now: int
) -> Alert | None:
    """The alert in its new state, or ``None`` when the scope does not see it.

    ``Problem`` when it shall be opened again while another alert of its key is open.
    """
    seen = read_alerts(connection, scope, [alert_id])
    if not seen or seen[0].state == state:
        return seen[0] if seen else None
    found = seen[0]
    row = _known(connection, alert.c.id == alert_id)[0]
    before = _Cell(*(row[name] for name in _Cell._fields))
    change = _Change(before._replace(state=state), before, dict(_own(row)), {}, found.rule)
    if state is not AlertState.CLOSED and found.state is AlertState.CLOSED:
        _refuse_second(connection, found.key, alert_id)
    change.row.update(updated=now, open_key=None if state is AlertState.CLOSED else found.key)
    cells = _move(connection, [change])
    _write_rows(connection, [change], cells)
    connection.execute(
        insert(alert_change).values(alert_id=alert_id, at=now, person=person, before=found.state, after=state)
    )
    detail = {"before": found.state.value, "after": state.value, "rule": found.rule.id}
    write_act(connection, Act.ALERT_STATE, Actor(name=person), f"alert {alert_id}", now, **detail)
    write_outbox(connection, [_notice(change, now, person=person)])
    return read_alerts(connection, scope, [alert_id])[0]


def _refuse_second(connection: Connection, key: str, alert_id: int) -> None:
    other = connection.execute(select(alert.c.id).where(alert.c.open_key == key)).scalar()
    if other is not None:
        raise Problem(f"alert {alert_id}", f"cannot be opened again: alert {other} of the same key is open")


def _changes(connection: Connection, deltas: Sequence[AlertDelta], now: int) -> list[_Change]:
    merged: dict[str, AlertDelta] = {}
    for delta in deltas:
        merged[delta.key] = _united(merged[delta.key], delta) if delta.key in merged else delta
    known = {row["open_key"]: row for part in _slices(list(merged)) for row in _known_by_key(connection, part)}
    cards = _card_ids(connection, {id(delta.rule): delta.rule for delta in merged.values()})
    first_id = next_numbers(connection, "alert", len(merged) - len(known))
    new_ids = iter(range(first_id, first_id + len(merged)))
    return [
        _updated(known[key], delta, cards[id(delta.rule)], now)
        if key in known
        else _opened(next(new_ids), delta, cards[id(delta.rule)], now)
        for key, delta in merged.items()
    ]


def _united(one: AlertDelta, two: AlertDelta) -> AlertDelta:
    """Two deltas of one key as one; the example stays that of the first."""
    return msgspec.structs.replace(
        one,
        rule=two.rule,
        level=max(one.level, two.level, key=lambda level: level.rank),
        count=one.count + two.count,
        storm_count=one.storm_count + two.storm_count,
        first_seen=min(one.first_seen, two.first_seen),
        last_seen=max(one.last_seen, two.last_seen),
        first_offset=min(one.first_offset, two.first_offset),
        last_offset=max(one.last_offset, two.last_offset),
        entities=_entities(one.entities, two.entities),
    )


def _entities(*parts: dict[str, list[str]]) -> dict[str, list[str]]:
    """The values by name in the order they came, at most ``ENTITY_VALUES`` each."""
    united: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, values in part.items():
            united.setdefault(name, {}).update(dict.fromkeys(values))
    return {name: list(values)[:ENTITY_VALUES] for name, values in united.items()}


def _opened(new_id: int, delta: AlertDelta, card_id: int, now: int) -> _Change:
    entities = _entities(storable(delta.entities))
    row = {name: getattr(delta, name) for name in ("key", *_COUNTED, *_WIDENED, "source_id", "sample_event_id")}
    row |= {"id": new_id, "open_key": delta.key, "level": delta.level.rank, "created": now, "updated": now}
    row |= {"group": jsoned(delta.group), "matched": jsoned(delta.matched), "entities": jsoned(entities)}
    place = _Cell(delta.unit, delta.realm, delta.layer, delta.level.rank, AlertState.NEW, card_id)
    return _Change(place, None, row, entities, delta.rule)


def _updated(known: RowMapping, delta: AlertDelta, card_id: int, now: int) -> _Change:
    had = msgspec.json.decode(known["entities"], type=dict[str, list[str]])
    entities = _entities(had, storable(delta.entities))
    level = max(known["level"], delta.level.rank)
    row = dict(_own(known)) | {"level": level, "updated": now}
    row |= {name: known[name] + getattr(delta, name) for name in _COUNTED}
    row |= {name: min(known[name], getattr(delta, name)) for name in ("first_seen", "first_offset")}
    row |= {name: max(known[name], getattr(delta, name)) for name in ("last_seen", "last_offset")}
    row["entities"] = jsoned(entities)
    before = _Cell(*(known[name] for name in _Cell._fields))
    added = {name: [value for value in values if value not in had.get(name, ())] for name, values in entities.items()}
    return _Change(before._replace(level=level, card_id=card_id), before, row, added, delta.rule)


def _known(connection: Connection, condition: Any) -> Sequence[RowMapping]:
    columns = [column for column in alert.c if column.name not in ("group", "matched", "level")]
    places = [cell.c[name] for name in _Cell._fields]
    query = select(*columns, *places).join(cell, cell.c.id == alert.c.cell_id).where(condition)
    return connection.execute(query).mappings().all()


def _known_by_key(connection: Connection, keys: Sequence[str]) -> Sequence[RowMapping]:
    return _known(connection, alert.c.open_key.in_(keys))


def _own(row: RowMapping) -> Iterator[tuple[str, Any]]:
    return ((name, row[name]) for name in ("id", "open_key", *_COUNTED, *_WIDENED, "level", "updated", "entities"))


def _card_ids(connection: Connection, cards: dict[int, RuleCard]) -> dict[int, int]:
    """The id of each card, by the identity of the object: one rule's card is shared by its deltas."""
    ids: dict[str, int] = {}
    found = {}
    for one, rule in cards.items():
        body = jsoned(rule)
        digest = sha256(body.encode()).hexdigest()
        if digest not in ids:
            titles = storable(f"{rule.title}\n{rule.title_zh}").casefold()
            values = {"digest": digest, "rule_id": storable(rule.id), "titles": titles, "body": body}
            ids[digest] = connection.execute(_CARD, values).scalar_one()
        found[one] = ids[digest]
    return found


def _move(connection: Connection, changes: Iterable[_Change]) -> dict[_Cell, int]:
    """The ids of the cells the alerts are in now, each counting one more for who came and one less for who left."""
    moves: Counter[_Cell] = Counter()
    for change in changes:
        moves[change.cell] += 1
        if change.before is not None:
            moves[change.before] -= 1
    return {
        place: connection.execute(_CELL, {**place._asdict(), "alerts": n}).scalar_one() for place, n in moves.items()
    }


def _write_rows(connection: Connection, changes: Sequence[_Change], cells: dict[_Cell, int]) -> None:
    for change in changes:
        change.row["cell_id"] = cells[change.cell]
    opened = [change.row for change in changes if change.before is None]
    updated = [{f"new_{name}": value for name, value in one.row.items()} for one in changes if one.before is not None]
    entities = [
        {"value": entity_value(value), "alert_id": change.row["id"]}
        for change in changes
        for values in change.entities.values()
        for value in values
    ]
    for statement, rows in ((insert(alert), opened), (_UPDATE, updated), (_ENTITY, entities)):
        if rows:
            connection.execute(statement, rows)


def _notice(change: _Change, now: int, **more: str) -> Notice:
    body: dict[str, Any] = {name: change.row[name] for name in ("id", "count", "last_seen")}
    body |= {"rule_id": change.rule.id, "title": change.rule.title, "title_zh": change.rule.title_zh}
    place = change.cell
    body |= {"level": Level.of_rank(place.level), "layer": place.layer, "realm": place.realm, "unit": place.unit}
    kind = "alert.new" if change.before is None else "alert.updated"
    return Notice(kind, now, place.unit, place.realm, body | {"state": place.state} | more)


def _slices(keys: list[str]) -> Iterator[list[str]]:
    return (keys[begin : begin + SLICE] for begin in range(0, len(keys), SLICE))


_COUNTED = ("count", "storm_count")
_WIDENED = ("first_seen", "last_seen", "first_offset", "last_offset")
_UPDATE = (
    update(alert)
    .where(alert.c.id == bindparam("new_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("open_key", "cell_id", "level", *_COUNTED, *_WIDENED, "updated", "entities")
        }
    )
)
