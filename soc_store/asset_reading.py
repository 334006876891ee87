"""Reads assets: pages by keyset, one with its links, counts; and what a fold must know. Scope is in every predicate."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select, tuple_

from soc_model.asset import Asset, AssetKind, AssetLink, Bucket, Known, LinkKey
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_model.sighting import Relation
from soc_store.asset_query import AssetCounts, AssetDetail, AssetFilter, AssetPage, FoldCursor, Neighbour
from soc_store.asset_row import asset_of
from soc_store.keyset import decode_cursor, encode_cursor
from soc_store.manifest import Partition
from soc_store.state_tables import asset, asset_cursor, asset_link, asset_made

CAPPED = "capped"  # the kind under which asset_made counts what found no room
SLICE = 500
Condition = ColumnElement[bool]


def read_page(connection: Connection, scope: Scope, wanted: AssetFilter, limit: int, cursor: str | None) -> AssetPage:
    """Up to ``limit`` assets, the one seen last first; ``Problem`` for a cursor that this list did not give."""
    query = select(asset).where(*_conditions(scope, wanted))
    if cursor is not None:
        query = query.where(tuple_(asset.c.last_seen, asset.c.id) < tuple_(*_after(cursor)))
    rows = connection.execute(query.order_by(asset.c.last_seen.desc(), asset.c.id.desc()).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    more = None if last is None else encode_cursor([last.last_seen, last.id])
    return AssetPage(assets=[asset_of(row) for row in rows[:limit]], cursor=more)


def read_asset(connection: Connection, scope: Scope, asset_id: str) -> Asset | None:
    """One asset, ``None`` when there is none or the scope does not see it."""
    row = connection.execute(select(asset).where(asset.c.id == asset_id, *_scope(scope))).one_or_none()
    return None if row is None else asset_of(row)


def read_detail(connection: Connection, scope: Scope, asset_id: str, limit: int) -> AssetDetail | None:
    """One asset with up to ``limit`` links, the one seen last first."""
    found = read_asset(connection, scope, asset_id)
    if found is None:
        return None
    either = or_(asset_link.c.from_id == asset_id, asset_link.c.to_id == asset_id)
    total = connection.execute(select(func.count()).select_from(asset_link).where(either)).scalar_one()
    # Both ends are of one unit and realm, so who sees the one sees the other; the scope is asked again all the same.
    rows = connection.execute(_neighbours(asset_id).where(*_scope(scope)).limit(limit))
    links = [
        Neighbour(
            asset=asset_of(row),
            relation=Relation(row.relation),
            outward=row.from_id == asset_id,
            first_seen=row.link_first,
            last_seen=row.link_last,
            count=row.link_count,
        )
        for row in rows
    ]
    return AssetDetail(asset=found, links=links, links_total=total)


def _neighbours(asset_id: str) -> Select[Any]:
    link = asset_link.c
    other = case((link.from_id == asset_id, link.to_id), else_=link.from_id)
    columns = (link.relation, link.from_id, link.first_seen.label("link_first"), link.last_seen.label("link_last"))
    return (
        select(asset, *columns, link.count.label("link_count"))
        .join_from(asset_link, asset, asset.c.id == other)
        .where(or_(link.from_id == asset_id, link.to_id == asset_id))
        .order_by(link.last_seen.desc(), link.from_id, link.to_id)
    )


def read_counts(connection: Connection, scope: Scope, wanted: AssetFilter) -> AssetCounts:
    """How many assets the scope sees under the filter, by kind and by realm."""
    query = select(asset.c.kind, asset.c.realm, func.count()).where(*_conditions(scope, wanted))
    kinds: Counter[AssetKind] = Counter()
    realms: Counter[Realm] = Counter()
    for kind, realm, n in connection.execute(query.group_by(asset.c.kind, asset.c.realm)):
        kinds[AssetKind(kind)] += n
        realms[Realm(realm)] += n
    return AssetCounts(total=kinds.total(), by_kind=dict(kinds), by_realm=dict(realms))


def read_known(connection: Connection, ids: Collection[str], links: Collection[LinkKey]) -> Known:
    """The assets of ``ids`` and the links of ``links`` that are kept."""
    assets = {
        row.id: asset_of(row)
        for part in _slices(ids)
        for row in connection.execute(select(asset).where(asset.c.id.in_(part)))
    }
    key = tuple_(asset_link.c.from_id, asset_link.c.to_id, asset_link.c.relation)
    found = {
        LinkKey(row.from_id, row.to_id, Relation(row.relation)): AssetLink(
            from_id=row.from_id,
            to_id=row.to_id,
            relation=Relation(row.relation),
            first_seen=row.first_seen,
            last_seen=row.last_seen,
            count=row._mapping["count"],
        )
        for part in _slices(links)
        for row in connection.execute(select(asset_link).where(key.in_(part)))
    }
    return Known(assets, found)


def read_made(connection: Connection) -> dict[Bucket, int]:
    """How many assets and links each source has brought, by kind, and how many found no room."""
    return {Bucket(row.source_id, row.kind): row.made for row in connection.execute(select(asset_made))}


def read_folded(connection: Connection, realm: Realm) -> tuple[int, dict[Partition, FoldCursor]]:
    """The last segment of sightings looked at, and by partition the last row folded."""
    sequence, found = 0, {}
    for row in connection.execute(select(asset_cursor).where(asset_cursor.c.realm == realm.value)):
        if row.layer:
            found[Partition(realm, Layer(row.layer), row.day)] = FoldCursor(
                offset=row.offset, sighting_id=row.sighting_id
            )
        else:
            sequence = row.offset
    return sequence, found


def _conditions(scope: Scope, wanted: AssetFilter) -> list[Condition]:
    conditions = _scope(scope)
    listed = (
        (asset.c.kind, wanted.kinds),
        (asset.c.state, wanted.states),
        (asset.c.realm, wanted.realms),
        (asset.c.unit, wanted.units),
    )
    conditions += [column.in_([str(value) for value in values]) for column, values in listed if values]
    if wanted.layers:
        conditions.append(or_(*(asset.c.layers.contains(f" {layer} ") for layer in wanted.layers)))
    if wanted.text:
        conditions.append(asset.c.words.contains(wanted.text.casefold(), autoescape=True))
    return conditions if wanted.of_hosts else [*conditions, asset.c.host_id == ""]


def _scope(scope: Scope) -> list[Condition]:
    seen: list[Condition] = [asset.c.realm.in_(sorted(scope.realms))]
    return seen if scope.units is None else [and_(*seen, asset.c.unit.in_(sorted(scope.units)))]


def _after(cursor: str) -> tuple[int, str]:
    match decode_cursor(cursor):
        case [int(last_seen), str(asset_id)]:
            return last_seen, asset_id
    raise Problem("cursor", "is not one of the list of assets")


def _slices(values: Collection[Any]) -> Iterator[list[Any]]:
    ordered = sorted(values)
    return (ordered[begin : begin + SLICE] for begin in range(0, len(ordered), SLICE))
