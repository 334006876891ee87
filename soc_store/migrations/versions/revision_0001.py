"""The first state database: alerts with their cards and cells, outbox, links and sessions."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables, in a database that holds none of them."""
    _general()
    _alerts()
    _alert_details()
    _people()


def _general() -> None:
    meta = op.create_table("meta", Column("name", String, primary_key=True), Column("value", String, nullable=False))
    sequence = op.create_table(
        "sequence", Column("name", String, primary_key=True), Column("last", BigInteger, nullable=False)
    )
    op.bulk_insert(meta, [{"name": "name", "value": "fengsui-state"}, {"name": "version", "value": "1"}])
    op.bulk_insert(sequence, [{"name": name, "last": 0} for name in ("cursor", "alert", "outbox")])
    op.create_table(
        "outbox",
        Column("seq", Integer, primary_key=True),
        Column("kind", String, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("unit", String, nullable=False),
        Column("realm", String, nullable=False),
        Column("body", Text, nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "card",
        Column("id", Integer, primary_key=True),
        Column("digest", String, nullable=False, unique=True),
        Column("rule_id", String, nullable=False, index=True),
        Column("titles", Text, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "cell",
        Column("id", Integer, primary_key=True),
        Column("unit", String, nullable=False),
        Column("realm", String, nullable=False),
        Column("layer", String, nullable=False),
        Column("level", Integer, nullable=False),
        Column("state", String, nullable=False),
        Column("card_id", Integer, ForeignKey("card.id"), nullable=False),
        Column("alerts", BigInteger, nullable=False),
    )
    op.create_index("cell_key", "cell", ["unit", "realm", "layer", "level", "state", "card_id"], unique=True)
    op.create_table(
        "alert",
        Column("id", Integer, primary_key=True),
        Column("key", String, nullable=False, index=True),
        Column("open_key", String, unique=True),
        Column("cell_id", Integer, ForeignKey("cell.id"), nullable=False),
        Column("level", Integer, nullable=False),
        *(Column(name, BigInteger, nullable=False) for name in _NUMBERS),
        *(Column(name, String, nullable=False) for name in ("source_id", "sample_event_id")),
        *(Column(name, Text, nullable=False) for name in ("group", "entities", "matched")),
    )
    for sort, columns in _SORTS.items():
        op.create_index(f"alert_by_{sort}", "alert", columns)


def _alert_details() -> None:
    op.create_table(
        "alert_entity",
        Column("value", String, primary_key=True),
        Column("alert_id", Integer, ForeignKey("alert.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alert_change",
        Column("id", Integer, primary_key=True),
        Column("alert_id", Integer, ForeignKey("alert.id"), nullable=False, index=True),
        Column("at", BigInteger, nullable=False),
        *(Column(name, String, nullable=False) for name in ("person", "before", "after")),
    )


def _people() -> None:
    op.create_table(
        "link",
        Column("token_sha256", String, primary_key=True),
        Column("purpose", String, nullable=False),
        Column("expires", BigInteger, nullable=False),
        Column("used", BigInteger),
    )
    op.create_table(
        "session",
        Column("token_sha256", String, primary_key=True),
        Column("expires", BigInteger, nullable=False, index=True),
        Column("body", Text, nullable=False),
    )


_NUMBERS = ("count", "first_seen", "last_seen", "created", "updated", "first_offset", "last_offset")
_SORTS = {
    "last_seen": ["last_seen", "id", "cell_id", "level"],
    "level": ["level", "last_seen", "id", "cell_id"],
    "count": ["count", "last_seen", "id", "cell_id"],
    "cell": ["cell_id", "last_seen", "id"],
}
