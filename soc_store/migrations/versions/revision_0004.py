"""Assets with their links, what each source has brought, how far sightings are folded, and what people changed."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables of assets; they fill from the sightings in the archive."""
    _assets()
    _links()
    _progress()


def _assets() -> None:
    op.create_table(
        "asset",
        Column("id", String, primary_key=True),
        *(Column(name, String, nullable=False) for name in ("unit", "realm", "kind")),
        Column("name", Text, nullable=False),
        *(Column(name, BigInteger, nullable=False) for name in ("first_seen", "last_seen", "count")),
        *(Column(name, Text, nullable=False) for name in ("names", "addresses", "sources")),
        Column("layers", String, nullable=False),
        Column("words", Text, nullable=False),
        Column("host_id", String, nullable=False),
        Column("host_at", BigInteger, nullable=False),
        *(Column(name, String, nullable=False) for name in _PEOPLE),
        Column("note", Text, nullable=False),
        Column("changed", BigInteger, nullable=False),
        Column("changed_by", String, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("asset_by_last_seen", "asset", ["last_seen", "id"])
    op.create_index("asset_by_kind", "asset", ["kind", "last_seen", "id"])
    op.create_table(
        "asset_change",
        Column("id", Integer, primary_key=True),
        Column("asset_id", String, ForeignKey("asset.id"), nullable=False, index=True),
        Column("at", BigInteger, nullable=False),
        Column("person", String, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("before", "after")),
    )


def _links() -> None:
    op.create_table(
        "asset_link",
        Column("from_id", String, ForeignKey("asset.id"), primary_key=True),
        Column("to_id", String, ForeignKey("asset.id"), primary_key=True),
        Column("relation", String, primary_key=True),
        *(Column(name, BigInteger, nullable=False) for name in ("first_seen", "last_seen", "count")),
        sqlite_with_rowid=False,
    )
    op.create_index("asset_link_to", "asset_link", ["to_id", "last_seen"])
    op.create_index("asset_link_from", "asset_link", ["from_id", "last_seen"])


def _progress() -> None:
    op.create_table(
        "asset_made",
        *(Column(name, String, primary_key=True) for name in ("source_id", "kind")),
        Column("made", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "asset_cursor",
        *(Column(name, String, primary_key=True) for name in ("realm", "layer", "day")),
        Column("offset", BigInteger, nullable=False),
        Column("sighting_id", String, nullable=False),
        sqlite_with_rowid=False,
    )


_PEOPLE = ("state", "owner", "asset_class", "importance", "mlps_object")
