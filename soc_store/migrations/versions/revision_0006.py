"""What correlation rules found, and the windows they are still looking at."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make both tables; there was nothing before."""
    op.create_table(
        "episode",
        Column("finding_id", String, primary_key=True),
        *(Column(name, String, nullable=False) for name in ("rule_id", "key", "unit", "realm")),
        *(Column(name, BigInteger, nullable=False) for name in ("start", "last", "updated")),
        Column("raises_alert", Boolean, nullable=False),
        Column("body", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("episode_by_key", "episode", ["key", "start"])
    op.create_index("episode_by_updated", "episode", ["raises_alert", "updated"])
    op.create_table(
        "correlation_step",
        Column("id", Integer, primary_key=True),
        Column("whole", Boolean, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
