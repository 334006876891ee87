"""One-time links and sessions; of a token only its SHA-256 is kept."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, update

from soc_model.person import LinkPurpose
from soc_model.session import OpenSession, Session
from soc_store.packing import jsoned
from soc_store.state_tables import link, session

#: A session's last use is written at most this often.
TOUCH_US = 60_000_000
ID_LETTERS = 16


def write_link(
    connection: Connection, token_sha256: str, purpose: str, expires: int, *, person_id: int | None = None, now: int = 0
) -> None:
    """Make a link that works once until ``expires``; others of the same person end."""
    if person_id is not None:
        end_links(connection, person_id, now)
    values = {"token_sha256": token_sha256, "purpose": purpose, "expires": expires, "person_id": person_id}
    connection.execute(insert(link).values(values))


def end_links(connection: Connection, person_id: int, now: int) -> None:
    """Let no link of a person work any more."""
    still = (link.c.person_id == person_id, link.c.used.is_(None), link.c.expires > now)
    connection.execute(update(link).where(*still).values(expires=now))


def read_link(connection: Connection, token_sha256: str, now: int) -> tuple[LinkPurpose, int | None] | None:
    """Purpose and person of a link that is still good."""
    row = connection.execute(select(link.c.purpose, link.c.person_id).where(*_open(token_sha256, now))).first()
    return None if row is None else (row[0], row[1])


def use_link(connection: Connection, token_sha256: str, now: int) -> bool:
    """Whether the link worked: it was there, not used and not expired, and it is used now."""
    return connection.execute(update(link).where(*_open(token_sha256, now)).values(used=now)).rowcount == 1


def link_used_ever(connection: Connection) -> bool:
    """Whether any link was ever used."""
    return bool(connection.execute(select(exists().where(link.c.used.is_not(None)))).scalar())


def write_session(connection: Connection, token_sha256: str, started: Session) -> None:
    """Keep a session until it expires; those expired when it began are forgotten."""
    connection.execute(delete(session).where(session.c.expires <= started.created))
    values = {"token_sha256": token_sha256, "expires": started.expires, "body": jsoned(started)}
    owner = {"person_id": started.person_id, "last_seen": started.created}
    connection.execute(insert(session).values(values | owner))


def read_session(connection: Connection, token_sha256: str, now: int) -> Session | None:
    """The session of a token, ``None`` when there is none, it has expired or was left unused too long."""
    row = connection.execute(select(session).where(session.c.token_sha256 == token_sha256)).mappings().first()
    return _alive(row, now) if row is not None else None


def touch_session(connection: Connection, token_sha256: str, now: int) -> None:
    """Say that a session was used now, where that was not said within the last minute."""
    stale = (session.c.token_sha256 == token_sha256, session.c.last_seen <= now - TOUCH_US)
    connection.execute(update(session).where(*stale).values(last_seen=now))


def touch_due(connection: Connection, token_sha256: str, now: int) -> bool:
    """Whether ``touch_session`` would change anything."""
    stale = (session.c.token_sha256 == token_sha256, session.c.last_seen <= now - TOUCH_US)
    return bool(connection.execute(select(exists().where(*stale))).scalar())


def read_sessions(connection: Connection, person_id: int, now: int) -> list[OpenSession]:
    """The open sessions of a person, the latest used first."""
    query = select(session).where(session.c.person_id == person_id).order_by(session.c.last_seen.desc())
    rows = connection.execute(query).mappings().all()
    return [_open_session(row, found) for row in rows if (found := _alive(row, now)) is not None]


def delete_session(connection: Connection, token_sha256: str) -> None:
    """Forget a session."""
    connection.execute(delete(session).where(session.c.token_sha256 == token_sha256))


def delete_sessions(connection: Connection, person_id: int, *, only: str | None = None, keep: str | None = None) -> int:
    """Forget the sessions of a person (one by its id, or all but the one of a token); gives their number."""
    chosen = [session.c.person_id == person_id]
    if only is not None:
        chosen.append(session.c.token_sha256.startswith(only, autoescape=True))
    if keep is not None:
        chosen.append(session.c.token_sha256 != keep)
    return connection.execute(delete(session).where(*chosen)).rowcount


def _open(token_sha256: str, now: int) -> tuple[ColumnElement[bool], ...]:
    return (link.c.token_sha256 == token_sha256, link.c.used.is_(None), link.c.expires > now)


def _alive(row: Any, now: int) -> Session | None:
    found = msgspec.json.decode(row["body"], type=Session)
    idle = found.idle_us and row["last_seen"] + found.idle_us <= now
    return None if row["expires"] <= now or idle else found


def _open_session(row: Any, found: Session) -> OpenSession:
    return OpenSession(
        id=row["token_sha256"][:ID_LETTERS],
        created=found.created,
        last_seen=row["last_seen"],
        expires=found.expires,
        address=found.address,
        agent=found.agent,
    )
