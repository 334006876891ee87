"""Signing in as the store sees it: tries that are counted, credentials to check, the session that comes of it.

Whether password and code are right is decided in soc_api; that no code and no recovery code works twice is held here.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, select, update

from soc_model.audit import Act
from soc_model.person import Actor, Credentials, Person, name_key
from soc_model.session import OpenSession, Session
from soc_store.access import delete_sessions, read_sessions, write_session
from soc_store.audit import write_act
from soc_store.login_failures import (
    ADDRESS_TRIES,
    NAME_TRIES,
    add_failure,
    address_subject,
    forget_failure,
    forget_failures,
    locked_until,
    name_subject,
)
from soc_store.person_rows import person_of, read_person
from soc_store.state_database import writing
from soc_store.state_tables import person, person_role, recovery_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One counted try. ``locked_until`` is 0 when it may go on; ``number`` is its failure by address."""

    locked_until: int
    name: str
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What proved the second factor: the time step of a code, or the SHA-256 of a recovery code."""

    step: int = 0
    recovery_sha256: str = ""


class SignIns:
    """Sign-ins and sessions of people in a state database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def attempt(self, name: str, address: str, now: int) -> Try:
        """Count a try as failed until ``accept`` takes that back; locked by name or address it is not even tried."""
        limits = ((name_subject(name), NAME_TRIES), (address_subject(address), ADDRESS_TRIES))
        with writing(self._engine) as connection:
            until = max(locked_until(connection, subject, tries, now) for subject, tries in limits)
            if until:
                return Try(locked_until=until, name=name)
            numbers = [add_failure(connection, subject, now) for subject, _ in limits]
            return Try(locked_until=0, name=name, number=numbers[1])

    def credentials(self, name: str) -> Credentials | None:
        """What to check a sign-in against; None for nobody, the disabled and those not set up."""
        with self._engine.begin() as connection:
            return _credentials(connection, name)

    def failed(self, tried: Try, known: Person | None, address: str, now: int) -> None:
        """Record that a try was wrong, and that it locked the name. What was typed is kept only if it is a name."""
        actor = Actor(name=known.name if known else "", person_id=known.id if known else 0, address=address)
        with writing(self._engine) as connection:
            write_act(connection, Act.SIGN_IN_FAILED, actor, actor.name, now)
            if locked_until(connection, name_subject(tried.name), NAME_TRIES, now):
                write_act(connection, Act.SIGN_IN_LOCKED, actor, actor.name, now)

    def prove(self, tried: Try, person_id: int, proof: Proof, now: int) -> bool:
        """Take a try back that was right, where no session comes of it; False when the code was used before."""
        with writing(self._engine) as connection:
            if not _use(connection, person_id, proof, now):
                return False
            _forgive(connection, tried)
            return True

    def accept(
        self, tried: Try, person_id: int, proof: Proof, started: Session, *, token_sha256: str, now: int
    ) -> Session | None:
        """The session, with the person's roles and units as they are now; None when the code was used before."""
        with writing(self._engine) as connection:
            found = read_person(connection, person_id)
            if found.disabled or found.set_up is None or not _use(connection, person_id, proof, now):
                return None
            _forgive(connection, tried)
            return _start(connection, found, started, proof, token_sha256=token_sha256, now=now)

    def start(self, found: Person, started: Session, *, token_sha256: str, now: int) -> Session:
        """The session of somebody who has just set up their password and code."""
        with writing(self._engine) as connection:
            own = read_person(connection, found.id)
            return _start(connection, own, started, None, token_sha256=token_sha256, now=now)

    def change_password(self, person_id: int, password: str, keep_sha256: str, by: Actor, now: int) -> None:
        """Keep a new hash; all other sessions of the person end."""
        with writing(self._engine) as connection:
            values = {"password": password, "password_at": now}
            connection.execute(update(person).where(person.c.id == person_id).values(values))
            delete_sessions(connection, person_id, keep=keep_sha256)
            write_act(connection, Act.PASSWORD_CHANGED, by, by.name, now)

    def sessions(self, person_id: int, now: int) -> list[OpenSession]:
        """The open sessions of a person, the latest used first."""
        with self._engine.begin() as connection:
            return read_sessions(connection, person_id, now)

    def revoke(self, person_id: int, by: Actor, now: int, *, only: str | None = None, keep: str | None = None) -> int:
        """End sessions of a person: one by its id, all but the one of a token, or all; gives how many."""
        with writing(self._engine) as connection:
            ended = delete_sessions(connection, person_id, only=only, keep=keep)
            if ended:
                write_act(connection, Act.SESSION_REVOKED, by, by.name, now, sessions=str(ended))
            return ended

    def codes_left(self, person_id: int) -> int:
        """How many recovery codes a person has not used."""
        unused = (recovery_code.c.person_id == person_id, recovery_code.c.used.is_(None))
        with self._engine.begin() as connection:
            return len(connection.execute(select(recovery_code.c.code_sha256).where(*unused)).all())


def _credentials(connection: Connection, name: str) -> Credentials | None:
    ready = (person.c.name_key == name_key(name), person.c.set_up.is_not(None), person.c.disabled.is_(False))
    row: Any = connection.execute(select(person).where(*ready)).mappings().first()
    if row is None:
        return None
    roles = connection.execute(select(person_role.c.role).where(person_role.c.person_id == row["id"])).scalars()
    return Credentials(
        person=person_of(row, roles),
        password=row["password"],
        totp_secret=row["totp_secret"],
        totp_step=row["totp_step"],
    )


def _use(connection: Connection, person_id: int, proof: Proof, now: int) -> bool:
    """Whether the proof is fresh; it never is again."""
    if proof.recovery_sha256:
        mine = (recovery_code.c.person_id == person_id, recovery_code.c.code_sha256 == proof.recovery_sha256)
        unused = update(recovery_code).where(*mine, recovery_code.c.used.is_(None)).values(used=now)
        return connection.execute(unused).rowcount == 1
    later = update(person).where(person.c.id == person_id, person.c.totp_step < proof.step)
    return connection.execute(later.values(totp_step=proof.step)).rowcount == 1


def _forgive(connection: Connection, tried: Try) -> None:
    forget_failures(connection, name_subject(tried.name))
    forget_failure(connection, tried.number)


def _start(
    connection: Connection, found: Person, started: Session, proof: Proof | None, *, token_sha256: str, now: int
) -> Session:
    session = msgspec.structs.replace(
        started, person=found.name, person_id=found.id, roles=found.roles, units=found.units
    )
    write_session(connection, token_sha256, session)
    connection.execute(update(person).where(person.c.id == found.id).values(last_sign_in=now))
    actor = Actor(name=found.name, person_id=found.id, address=started.address)
    if proof is not None and proof.recovery_sha256:
        write_act(connection, Act.RECOVERY_USED, actor, found.name, now)
    write_act(connection, Act.SIGN_IN, actor, found.name, now, agent=started.agent)
    return session
