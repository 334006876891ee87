"""Rows of people as persons, and what must be true of them whoever changes them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, insert, select

from soc_model.person import Person
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, Role, combination_problem
from soc_store.state_tables import person, person_role


def read_people(connection: Connection, *conditions: ColumnElement[bool]) -> list[Person]:
    """Persons under conditions, in the order in which they were made."""
    rows = connection.execute(select(person).where(*conditions).order_by(person.c.id)).mappings().all()
    roles = _roles(connection, [row["id"] for row in rows])
    return [person_of(row, roles.get(row["id"], ())) for row in rows]


def read_person(connection: Connection, person_id: int) -> Person:
    """One person; raises Problem when there is none."""
    found = read_people(connection, person.c.id == person_id)
    if not found:
        raise Problem("person", "there is no such person")
    return found[0]


def person_of(row: Mapping[Any, Any], roles: Iterable[str]) -> Person:
    """A row of ``person`` with its roles."""
    return Person(
        id=row["id"],
        name=row["name"],
        roles=frozenset(Role(role) for role in roles),
        units=units_of(row["units"]),
        created=row["created"],
        disabled=row["disabled"],
        set_up=row["set_up"],
        last_sign_in=row["last_sign_in"],
        password_at=row["password_at"],
    )


def put_roles(connection: Connection, person_id: int, roles: frozenset[Role]) -> None:
    """Give a person exactly these roles; raises Problem when they cannot be combined."""
    if wrong := combination_problem(roles):
        raise Problem("roles", wrong)
    connection.execute(delete(person_role).where(person_role.c.person_id == person_id))
    if roles:
        connection.execute(
            insert(person_role), [{"person_id": person_id, "role": role.value} for role in sorted(roles)]
        )


def refuse_last(connection: Connection, leaving: Person, roles: frozenset[Role]) -> None:
    """Raise Problem when, without this person, nobody would have one of these separated administrators' roles."""
    for role in sorted(roles & ADMINISTRATORS):
        having = {one.id for one in read_people(connection, *_having(role), person.c.disabled.is_(False))}
        if having == {leaving.id} or {one.id for one in acting(connection, role)} == {leaving.id}:
            raise Problem("roles", f"the last {role} cannot be taken away")


def acting(connection: Connection, role: Role) -> list[Person]:
    """Who is set up, not disabled, and has the role."""
    return read_people(connection, *_having(role), person.c.set_up.is_not(None), person.c.disabled.is_(False))


def _having(role: Role) -> tuple[ColumnElement[bool]]:
    return (person.c.id.in_(select(person_role.c.person_id).where(person_role.c.role == role.value)),)


def units_of(text: str | None) -> frozenset[str] | None:
    """Units as they are kept; None is every unit."""
    return None if text is None else msgspec.json.decode(text, type=frozenset[str])


def units_text(units: frozenset[str] | None) -> str | None:
    """The same the other way."""
    return None if units is None else msgspec.json.encode(sorted(units)).decode()


def _roles(connection: Connection, ids: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for person_id, role in connection.execute(
        select(person_role.c.person_id, person_role.c.role).where(person_role.c.person_id.in_(ids))
    ):
        found.setdefault(person_id, []).append(role)
    return found
