"""What is chosen at a one-time link, and what comes of it once a code has proved that the device holds the secret.

Known by the token of a cookie, so that the link itself is used up by the first browser that answers it.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select, update

from soc_model.audit import Act
from soc_model.person import Actor, Enrolment, Person, name_key
from soc_model.problem import Problem
from soc_store.access import delete_sessions, use_link
from soc_store.audit import write_act
from soc_store.login_failures import forget_failures, name_subject
from soc_store.packing import jsoned
from soc_store.person_rows import read_people, read_person
from soc_store.state_database import writing
from soc_store.state_tables import enrolment, person, recovery_code

FAILURES_MOST = 5


class Enrolments:
    """The enrolments of a state database that are under way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, link_sha256: str, token_sha256: str, chosen: Enrolment, address: str, now: int) -> bool:
        """Use a link up and keep what was chosen; False when it no longer works, Problem when the name is taken."""
        with writing(self._engine) as connection:
            if not use_link(connection, link_sha256, now):
                return False
            _refuse_taken(connection, chosen)
            _write(connection, token_sha256, chosen, now)
            actor = Actor(name=chosen.name, person_id=chosen.person_id, address=address)
            write_act(connection, Act.LINK_USED, actor, chosen.name, now)
            return True

    def begin_own(self, token_sha256: str, chosen: Enrolment, now: int) -> None:
        """The same for somebody who is signed in and enrols their codes anew; the token is that of their session."""
        with writing(self._engine) as connection:
            _write(connection, token_sha256, chosen, now)

    def under_way(self, token_sha256: str, now: int) -> Enrolment | None:
        """What was chosen, while it has not expired."""
        with self._engine.begin() as connection:
            return _read(connection, token_sha256, now)

    def failed(self, token_sha256: str, now: int) -> None:
        """Count a wrong code; after five the enrolment is over and takes a new link."""
        with writing(self._engine) as connection:
            found = _read(connection, token_sha256, now)
            if found is None:
                return
            if found.failures + 1 >= FAILURES_MOST:
                connection.execute(delete(enrolment).where(enrolment.c.token_sha256 == token_sha256))
                return
            body = jsoned(msgspec.structs.replace(found, failures=found.failures + 1))
            connection.execute(update(enrolment).where(enrolment.c.token_sha256 == token_sha256).values(body=body))

    def complete(
        self, token_sha256: str, step: int, codes_sha256: Sequence[str], address: str, now: int
    ) -> Person | None:
        """The person as set up, their other sessions ended; None when the enrolment is over."""
        with writing(self._engine) as connection:
            found = _read(connection, token_sha256, now)
            if found is None:
                return None
            _refuse_taken(connection, found)
            if read_person(connection, found.person_id).disabled:
                raise Problem("person", "is disabled")
            connection.execute(delete(enrolment).where(enrolment.c.token_sha256 == token_sha256))
            _put(connection, found, step, now)
            _put_codes(connection, found.person_id, codes_sha256)
            delete_sessions(connection, found.person_id, keep=token_sha256)
            forget_failures(connection, name_subject(found.name))
            actor = Actor(name=found.name, person_id=found.person_id, address=address)
            act = Act.PERSON_SET_UP if found.password else Act.CODE_CHANGED
            write_act(connection, act, actor, found.name, now)
            return read_person(connection, found.person_id)


def _write(connection: Connection, token_sha256: str, chosen: Enrolment, now: int) -> None:
    gone = (enrolment.c.expires <= now) | (enrolment.c.token_sha256 == token_sha256)
    connection.execute(delete(enrolment).where(gone))
    values = {"token_sha256": token_sha256, "expires": chosen.expires, "body": jsoned(chosen)}
    connection.execute(insert(enrolment).values(values))


def _read(connection: Connection, token_sha256: str, now: int) -> Enrolment | None:
    known = (enrolment.c.token_sha256 == token_sha256, enrolment.c.expires > now)
    body = connection.execute(select(enrolment.c.body).where(*known)).scalar()
    return None if body is None else msgspec.json.decode(body, type=Enrolment)


def _refuse_taken(connection: Connection, chosen: Enrolment) -> None:
    same = (person.c.name_key == name_key(chosen.name), person.c.id != chosen.person_id)
    if read_people(connection, *same):
        raise Problem("name", "is taken")


def _put(connection: Connection, chosen: Enrolment, step: int, now: int) -> None:
    before = read_person(connection, chosen.person_id)
    values = {
        "name": chosen.name,
        "name_key": name_key(chosen.name),
        "totp_secret": chosen.totp_secret,
        "totp_step": step,
        "set_up": before.set_up or now,
    }
    if chosen.password:
        values |= {"password": chosen.password, "password_at": now}
    connection.execute(update(person).where(person.c.id == chosen.person_id).values(values))


def _put_codes(connection: Connection, person_id: int, codes_sha256: Sequence[str]) -> None:
    connection.execute(delete(recovery_code).where(recovery_code.c.person_id == person_id))
    rows = [{"person_id": person_id, "code_sha256": each} for each in codes_sha256]
    connection.execute(insert(recovery_code), rows)
