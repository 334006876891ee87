"""Alerts say how many of their findings were counted only: storms."""

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the count; what was before had none."""
    op.add_column("alert", Column("storm_count", BigInteger, nullable=False, server_default="0"))
