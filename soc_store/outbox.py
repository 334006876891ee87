"""The outbox: one notice for each committed change, in the order of commits, kept for a week."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from soc_model.alert import OutboxItem
from soc_model.layer import Realm
from soc_model.scope import Scope
from soc_store.packing import jsoned
from soc_store.sequence import next_numbers
from soc_store.state_tables import outbox

KEPT_US = 7 * 86_400_000_000
TRIMMED = 1_000  # at most so many a write, so that no write is long


class Notice(NamedTuple):
    """What a reader is told of one change."""

    kind: str
    at: int
    unit: str
    realm: str
    body: dict[str, Any]


def write_outbox(connection: Connection, notices: Sequence[Notice]) -> None:
    """Add the notices, and let go of some that are older than a week."""
    if not notices:
        return
    first = next_numbers(connection, "outbox", len(notices))
    rows = [{**one._asdict(), "seq": seq, "body": jsoned(one.body)} for seq, one in enumerate(notices, first)]
    connection.execute(insert(outbox), rows)
    oldest = connection.execute(select(func.min(outbox.c.seq))).scalar_one()
    old = (outbox.c.seq < oldest + TRIMMED, outbox.c.at < notices[0].at - KEPT_US)
    connection.execute(delete(outbox).where(*old))


def read_outbox(connection: Connection, scope: Scope, after: int, limit: int) -> list[OutboxItem]:
    """Up to ``limit`` notices above seq ``after`` that the scope sees, in order."""
    query = select(outbox).where(outbox.c.seq > after, outbox.c.realm.in_(sorted(scope.realms)))
    if scope.units is not None:
        query = query.where(outbox.c.unit.in_(sorted(scope.units)))
    return [
        OutboxItem(
            seq=row.seq,
            kind=row.kind,
            at=row.at,
            unit=row.unit,
            realm=Realm(row.realm),
            body=msgspec.json.decode(row.body),
        )
        for row in connection.execute(query.order_by(outbox.c.seq).limit(limit))
    ]
