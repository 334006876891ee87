"""People, their roles and one-time links; each change is recorded in the same transaction.

Accounts are made by one administrator and roles granted by another (三权分立); which right that takes the API says.
What holds whoever asks is here: roles that cannot be combined, and the last of each separated administrator.
"""

from sqlalchemy import Connection, Engine, insert, update

from soc_model.audit import Act
from soc_model.person import Actor, Invitation, LinkPurpose, Person, checked_name, name_key
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, Role
from soc_store.access import delete_sessions, end_links, read_link, write_link
from soc_store.audit import write_act
from soc_store.person_rows import acting, put_roles, read_people, read_person, refuse_last, units_text
from soc_store.state_database import writing
from soc_store.state_tables import person

#: Who acts where nobody has signed in: the center itself, at its first start.
CENTER = Actor(name="center")
#: Who acts on this machine itself, where no other person hands in a name.
HERE = frozenset({CENTER.name, "terminal"})


class People:
    """The people of a state database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Person]:
        """Everybody, disabled or not, in the order in which they were made."""
        with self._engine.begin() as connection:
            return read_people(connection)

    def one(self, person_id: int) -> Person:
        """One person; raises Problem when there is none."""
        with self._engine.begin() as connection:
            return read_person(connection, person_id)

    def named(self, name: str) -> Person:
        """The person of that name; raises Problem when there is none."""
        with self._engine.begin() as connection:
            found = read_people(connection, person.c.name_key == name_key(name))
        if not found:
            raise Problem("name", "there is no person of that name")
        return found[0]

    def missing_administrators(self) -> list[Role]:
        """The separated administrators' roles in which nobody can act yet."""
        with self._engine.begin() as connection:
            return [role for role in sorted(ADMINISTRATORS) if not acting(connection, role)]

    def make_first(self, now: int) -> dict[Role, Person]:
        """An account for each administrator's role in which nobody can act yet, made where it is not there."""
        with writing(self._engine) as connection:
            missing = [role for role in sorted(ADMINISTRATORS) if not acting(connection, role)]
            waiting = {one.roles: one for one in read_people(connection, person.c.set_up.is_(None))}
            found = {}
            for role in missing:
                alone = frozenset({role})
                found[role] = waiting.get(alone) or _made(connection, "", alone, CENTER, now)
            return found

    def make(self, name: str, roles: frozenset[Role], by: Actor, now: int) -> Person:
        """A new person without password; raises Problem for a name that is taken or roles that cannot be combined."""
        with writing(self._engine) as connection:
            return _made(connection, checked_name(name), roles, by, now)

    def set_roles(
        self, person_id: int, roles: frozenset[Role], units: frozenset[str] | None, by: Actor, now: int
    ) -> Person:
        """The person with exactly these roles and units, signed out; raises Problem where that must not be."""
        with writing(self._engine) as connection:
            before = read_person(connection, person_id)
            if by.person_id == person_id:
                raise Problem("roles", "nobody changes their own roles")
            refuse_last(connection, before, before.roles - roles)
            put_roles(connection, person_id, roles)
            connection.execute(update(person).where(person.c.id == person_id).values(units=units_text(units)))
            delete_sessions(connection, person_id)
            end_links(connection, person_id, now)
            detail = {"before": _names(before.roles), "after": _names(roles), "units": units_text(units) or "*"}
            write_act(connection, Act.ROLES_CHANGED, by, before.name, now, **detail)
            return read_person(connection, person_id)

    def set_disabled(self, person_id: int, disabled: bool, by: Actor, now: int) -> Person:
        """The person, who can no longer sign in, or can again; raises Problem for oneself and the last of a role."""
        with writing(self._engine) as connection:
            before = read_person(connection, person_id)
            if before.disabled == disabled:
                return before
            if by.person_id == person_id:
                raise Problem("person", "nobody disables themselves")
            if disabled:
                refuse_last(connection, before, before.roles)
                delete_sessions(connection, person_id)
            connection.execute(update(person).where(person.c.id == person_id).values(disabled=disabled))
            write_act(connection, Act.PERSON_DISABLED if disabled else Act.PERSON_ENABLED, by, before.name, now)
            return read_person(connection, person_id)

    def invite(self, person_id: int, token_sha256: str, expires: int, by: Actor, now: int) -> Person:
        """Make a one-time link for a person, to set up or to set up anew; links made before for them end."""
        with writing(self._engine) as connection:
            found = read_person(connection, person_id)
            if found.disabled:
                raise Problem("person", "is disabled")
            if (by.person_id or by.name not in HERE) and found.roles & ADMINISTRATORS:
                # Whoever makes the link could use it, and so take the other administrator's role.
                raise Problem("person", "an administrator's link is made on the terminal: fengsui link")
            purpose: LinkPurpose = "setup" if found.set_up is None else "reset"
            write_link(connection, token_sha256, purpose, expires, person_id=person_id, now=now)
            write_act(connection, Act.LINK_MADE, by, found.name, now, purpose=purpose, roles=_names(found.roles))
            return found

    def invitation(self, token_sha256: str, now: int) -> Invitation | None:
        """What a link is for while it is good; looking does not use it."""
        with self._engine.begin() as connection:
            link = read_link(connection, token_sha256, now)
            if link is None:
                return None
            purpose, person_id = link
            return Invitation(purpose=purpose, person=read_person(connection, person_id) if person_id else None)


def _made(connection: Connection, name: str, roles: frozenset[Role], by: Actor, now: int) -> Person:
    key = name_key(name) or None
    if key and read_people(connection, person.c.name_key == key):
        raise Problem("name", "is taken")
    values = {"name": name, "name_key": key, "created": now, "disabled": False, "totp_step": 0}
    made = connection.execute(insert(person).values(values).returning(person.c.id)).scalar_one()
    put_roles(connection, made, roles)
    write_act(connection, Act.PERSON_MADE, by, name, now, roles=_names(roles))
    return read_person(connection, made)


def _names(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(roles))
