"""Writes assets: one slice of a fold, or what one person says of one asset; each in one transaction."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, text, update

from soc_model.asset import Asset, Changes, Described
from soc_model.audit import Act
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.asset_query import FoldCursor
from soc_store.asset_reading import CAPPED, read_asset
from soc_store.asset_row import machine_columns, people_columns
from soc_store.audit import write_act
from soc_store.manifest import Partition
from soc_store.packing import jsoned, storable
from soc_store.state_tables import asset, asset_change, asset_cursor

_MACHINE = (
    *("name", "first_seen", "last_seen", "count", "names", "addresses", "sources", "layers", "words"),
    *("host_id", "host_at"),
)
_WIDEN = text(
    f"UPDATE asset SET {', '.join(f'{name} = :{name}' for name in _MACHINE)} WHERE id = :id"  # noqa: S608 - our own
)
_LINK = text(
    "INSERT INTO asset_link(from_id, to_id, relation, first_seen, last_seen, count)"
    " VALUES (:from_id, :to_id, :relation, :first_seen, :last_seen, :count)"
    " ON CONFLICT(from_id, to_id, relation) DO UPDATE SET first_seen = excluded.first_seen,"
    " last_seen = excluded.last_seen, count = excluded.count"
)
_MADE = text(
    "INSERT INTO asset_made(source_id, kind, made) VALUES (:source_id, :kind, :made)"
    " ON CONFLICT(source_id, kind) DO UPDATE SET made = asset_made.made + excluded.made"
)
_CURSOR = text(
    'INSERT INTO asset_cursor(realm, layer, day, "offset", sighting_id)'
    " VALUES (:realm, :layer, :day, :offset, :sighting_id)"
    ' ON CONFLICT(realm, layer, day) DO UPDATE SET "offset" = excluded."offset", sighting_id = excluded.sighting_id'
)


def write_fold(
    connection: Connection, changes: Changes, partition: Partition, cursor: FoldCursor, after: FoldCursor
) -> None:
    """Write what one slice came to, with the cursor behind it.

    ``Problem`` when the slice does not begin at the stored cursor: somebody else folds, or folded it before.
    """
    stored = _stored(connection, partition)
    if stored != after or cursor < after:
        raise Problem("assets", f"sightings from {after} on do not follow the stored cursor {stored} of {partition}")
    _write_assets(connection, changes)
    for statement, rows in (
        (_LINK, [msgspec.structs.asdict(link) | {"relation": link.relation.value} for link in changes.links.values()]),
        (_MADE, [{**bucket._asdict(), "made": n} for bucket, n in changes.made.items()]),
        (_MADE, [{"source_id": name, "kind": CAPPED, "made": n} for name, n in changes.capped.items()]),
        (_CURSOR, [_place(partition) | msgspec.structs.asdict(cursor)]),
    ):
        if rows:
            connection.execute(statement, rows)


def write_looked_at(connection: Connection, realm: str, sequence: int) -> None:
    """Remember that every segment of sightings at or below ``sequence`` is folded whole."""
    place = {"realm": realm, "layer": "", "day": ""}
    connection.execute(_CURSOR, place | {"offset": sequence, "sighting_id": ""})


def write_described(
    connection: Connection, scope: Scope, asset_id: str, change: Mapping[str, str], *, person: str, now: int
) -> Asset | None:
    """The asset with these of people's columns changed, ``None`` when the scope does not see it; who changed what is
    kept."""
    found = read_asset(connection, scope, asset_id)
    if found is None:
        return None
    described = msgspec.convert(msgspec.to_builtins(found.described) | storable(dict(change)), Described)
    if described == found.described:
        return found
    changed = msgspec.structs.replace(found, described=described, changed=now, changed_by=person)
    connection.execute(update(asset).where(asset.c.id == asset_id).values(people_columns(changed)))
    record = {"asset_id": asset_id, "at": now, "person": person}
    record |= {"before": jsoned(found.described), "after": jsoned(described)}
    connection.execute(insert(asset_change), [record])
    write_act(connection, Act.ASSET_DESCRIBED, Actor(name=person), found.name, now, **_differences(found, changed))
    return changed


def _differences(before: Asset, after: Asset) -> dict[str, str]:
    """What of people's columns is other than before, as the audit record tells it."""
    had, has = (msgspec.to_builtins(one.described) for one in (before, after))
    return {name: f"{had[name] or '-'} → {has[name] or '-'}" for name in has if had[name] != has[name]}


def _write_assets(connection: Connection, changes: Changes) -> None:
    new: list[dict[str, Any]] = []
    widened: list[dict[str, Any]] = []
    for one in changes.assets.values():
        if one.id in changes.makers:
            new.append(machine_columns(one) | people_columns(one))
        else:
            widened.append(machine_columns(one))
    if new:
        connection.execute(insert(asset), new)
    if widened:
        connection.execute(_WIDEN, widened)


def _stored(connection: Connection, partition: Partition) -> FoldCursor:
    place = [asset_cursor.c[name] == value for name, value in _place(partition).items()]
    row = connection.execute(select(asset_cursor).where(*place)).one_or_none()
    return FoldCursor() if row is None else FoldCursor(offset=row.offset, sighting_id=row.sighting_id)


def _place(partition: Partition) -> dict[str, str]:
    return {"realm": partition.realm.value, "layer": partition.layer.value, "day": partition.day}
