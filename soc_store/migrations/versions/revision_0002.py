"""People, their roles and codes, failed sign-ins, keys, and the audit record; what holds them is in the triggers."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Text

revision = "0002"
down_revision = "0001"

_ALONE = "('system_administrator', 'security_administrator', 'audit_administrator')"
#: Roles cannot be combined (三权分立), also not by somebody who writes SQL.
_ROLE_ALONE = f"""
CREATE TRIGGER person_role_alone_{{when}} BEFORE {{when}} ON person_role
WHEN NEW.role = 'external_system' OR EXISTS (
    SELECT 1 FROM person_role WHERE person_id = NEW.person_id AND role <> NEW.role
    AND (role IN {_ALONE} OR NEW.role IN {_ALONE}))
BEGIN SELECT RAISE(ABORT, 'roles cannot be combined'); END
"""  # noqa: S608 - fixed text
_APPEND_ONLY = """
CREATE TRIGGER audit_no_{when} BEFORE {when} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END
"""


def upgrade() -> None:
    """Add the tables, and to links and sessions whose they are."""
    op.add_column("link", Column("person_id", Integer))
    op.add_column("session", Column("person_id", Integer, nullable=False, server_default="0"))
    op.add_column("session", Column("last_seen", BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_session_person_id", "session", ["person_id"])
    _people()
    _sign_in()
    _audit()
    # A center that was opened before this revision was an evaluation: there was nothing else.
    op.execute(
        "INSERT INTO meta (name, value) SELECT 'mode', 'evaluation' WHERE EXISTS (SELECT 1 FROM link)",
    )


def _people() -> None:
    op.create_table(
        "person",
        Column("id", Integer, primary_key=True),
        Column("name", String, nullable=False),
        Column("name_key", String, unique=True),
        Column("units", Text),
        Column("created", BigInteger, nullable=False),
        Column("disabled", Boolean, nullable=False),
        Column("set_up", BigInteger),
        Column("password", Text),
        Column("password_at", BigInteger),
        Column("totp_secret", String),
        Column("totp_step", BigInteger, nullable=False),
        Column("last_sign_in", BigInteger),
    )
    op.create_table(
        "person_role",
        Column("person_id", Integer, ForeignKey("person.id"), primary_key=True),
        Column("role", String, primary_key=True),
    )
    for when in ("INSERT", "UPDATE"):
        op.execute(_ROLE_ALONE.format(when=when))
    op.create_table(
        "recovery_code",
        Column("person_id", Integer, ForeignKey("person.id"), primary_key=True),
        Column("code_sha256", String, primary_key=True),
        Column("used", BigInteger),
    )
    op.create_table(
        "enrolment",
        Column("token_sha256", String, primary_key=True),
        Column("expires", BigInteger, nullable=False),
        Column("body", Text, nullable=False),
    )


def _sign_in() -> None:
    op.create_table(
        "login_failure",
        Column("id", Integer, primary_key=True),
        Column("subject", String, nullable=False),
        Column("at", BigInteger, nullable=False, index=True),
    )
    op.create_index("login_failure_by_subject", "login_failure", ["subject", "at"])
    op.create_table(
        "api_key",
        Column("id", Integer, primary_key=True),
        *(Column(name, String, nullable=False) for name in ("name", "prefix")),
        Column("token_sha256", String, nullable=False, unique=True),
        Column("role", String, nullable=False),
        Column("units", Text),
        Column("created", BigInteger, nullable=False),
        Column("created_by", String, nullable=False),
        Column("expires", BigInteger, nullable=False),
        Column("revoked", BigInteger),
        Column("last_used", BigInteger),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        Column("seq", Integer, primary_key=True),
        Column("at", BigInteger, nullable=False, index=True),
        Column("act", String, nullable=False, index=True),
        *(Column(name, String, nullable=False) for name in ("actor", "subject", "address")),
        Column("detail", Text, nullable=False),
        *(Column(name, String, nullable=False) for name in ("alg", "previous", "digest")),
    )
    for when in ("UPDATE", "DELETE"):
        op.execute(_APPEND_ONLY.format(when=when))
    op.execute("INSERT INTO sequence (name, last) VALUES ('audit', 0)")
