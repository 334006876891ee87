"""What people decided of rules, and what each rule found by the hour."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String, Text

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables; no rule is decided on, and what was found before was not counted by the hour."""
    op.create_table(
        "rule_state",
        Column("rule_id", String, primary_key=True),
        Column("state", String, nullable=False),
    )
    op.create_table(
        "rule_decision",
        Column("id", Integer, primary_key=True),
        Column("rule_id", String, nullable=False, index=True),
        *(Column(name, String, nullable=False) for name in ("before", "after")),
        Column("reason", Text, nullable=False),
        Column("person", String, nullable=False),
        Column("at", BigInteger, nullable=False),
    )
    op.create_table(
        "rule_hour",
        Column("rule_id", String, primary_key=True),
        Column("hour", BigInteger, primary_key=True),
        *(Column(name, String, primary_key=True) for name in ("unit", "realm")),
        *(Column(name, BigInteger, nullable=False) for name in ("findings", "first_offset", "last_offset")),
        sqlite_with_rowid=False,
    )
    op.create_index("rule_hour_by_hour", "rule_hour", ["hour"])
