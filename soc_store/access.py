"""One-time links and sessions; of a token only its SHA-256 is kept."""

import msgspec
from sqlalchemy import Connection, delete, exists, insert, select, update

from soc_model.session import Session
from soc_store.packing import jsoned
from soc_store.state_tables import link, session


def write_link(connection: Connection, token_sha256: str, purpose: str, expires: int) -> None:
    """Make a link that works once until ``expires``."""
    connection.execute(insert(link).values(token_sha256=token_sha256, purpose=purpose, expires=expires))


def use_link(connection: Connection, token_sha256: str, now: int) -> bool:
    """Whether the link worked: it was there, not used and not expired, and it is used now."""
    open_link = (link.c.token_sha256 == token_sha256, link.c.used.is_(None), link.c.expires > now)
    return connection.execute(update(link).where(*open_link).values(used=now)).rowcount == 1


def link_used_ever(connection: Connection) -> bool:
    """Whether any link was ever used."""
    return bool(connection.execute(select(exists().where(link.c.used.is_not(None)))).scalar())


def write_session(connection: Connection, token_sha256: str, started: Session) -> None:
    """Keep a session until it expires; those expired when it began are forgotten."""
    connection.execute(delete(session).where(session.c.expires <= started.created))
    values = {"token_sha256": token_sha256, "expires": started.expires, "body": jsoned(started)}
    connection.execute(insert(session).values(values))


def read_session(connection: Connection, token_sha256: str, now: int) -> Session | None:
    """The session of a token, ``None`` when there is none or it has expired."""
    known = (session.c.token_sha256 == token_sha256, session.c.expires > now)
    body = connection.execute(select(session.c.body).where(*known)).scalar()
    return None if body is None else msgspec.json.decode(body, type=Session)


def delete_session(connection: Connection, token_sha256: str) -> None:
    """Forget a session."""
    connection.execute(delete(session).where(session.c.token_sha256 == token_sha256))
