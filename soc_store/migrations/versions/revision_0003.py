"""Jobs and the schedule that asks for them."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make both tables, and the numbering of jobs."""
    op.execute("INSERT INTO sequence (name, last) VALUES ('job', 0)")
    op.create_table(
        "job",
        Column("id", Integer, primary_key=True),
        *(Column(name, String, nullable=False) for name in ("kind", "state")),
        Column("params", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("created_by", String, nullable=False),
        *(Column(name, BigInteger) for name in ("started", "finished")),
        *(Column(name, BigInteger, nullable=False) for name in ("progress_done", "progress_total")),
        Column("progress_text", Text, nullable=False),
        *(Column(name, Integer, nullable=False) for name in ("attempts", "attempts_max")),
        *(Column(name, Text, nullable=False) for name in ("error", "result")),
        Column("cancel_requested", Boolean, nullable=False),
        Column("lease_until", BigInteger),
        Column("worker", String, nullable=False),
    )
    op.create_index("job_by_state", "job", ["state", "id"])
    op.create_index("job_by_kind", "job", ["kind", "id"])
    op.create_index("job_by_finished", "job", ["finished"])
    op.create_table(
        "schedule",
        Column("kind", String, primary_key=True),
        Column("every_s", BigInteger),
        Column("enabled", Boolean, nullable=False),
        Column("last_queued", BigInteger),
        Column("attempts_max", Integer, nullable=False),
        Column("changed", BigInteger, nullable=False),
        Column("changed_by", String, nullable=False),
    )
