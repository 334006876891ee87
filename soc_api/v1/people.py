"""People: who there is, made and disabled by the system administrator, given roles by the security administrator."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from soc_api import people
from soc_api.access import actor_of, services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_model.person import Person
from soc_model.right import Right, Role
from soc_model.session import Session

router = APIRouter(prefix="/people", tags=["people"])
System = Annotated[Session, needs(Right.PEOPLE_MANAGE)]
Unit = Annotated[str, Field(max_length=200)]


class NewPerson(BaseModel):
    """Who shall be made; roles are granted apart, by somebody else."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]


class RolesChange(BaseModel):
    """Exactly these roles; ``units`` null is every unit."""

    model_config = ConfigDict(extra="forbid")

    roles: frozenset[Role]
    units: frozenset[Unit] | None = None


class Disabling(BaseModel):
    """Whether the person may no longer sign in."""

    model_config = ConfigDict(extra="forbid")

    disabled: bool


class InvitedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person and the one-time link for them, shown this once."""

    person: Person
    link: str


@router.get("", responses=answers(list[Person]))
def list_people(request: Request, session: Annotated[Session, needs(Right.PEOPLE_READ)]) -> Response:
    """Everybody, disabled or not."""
    return json_answer(services_of(request).state.people.all())


@router.post("", responses=answers(InvitedPerson, 400, 422))
def make_person(request: Request, session: System, wanted: NewPerson) -> Response:
    """A new person without roles, with their one-time link."""
    return _invited(people.make_person(request, session, wanted.name))


@router.post("/{person_id}/link", responses=answers(InvitedPerson, 400, 422))
def make_link(request: Request, session: System, person_id: int) -> Response:
    """A new one-time link, to set up password and code (anew). Not for administrators: theirs come on the terminal."""
    return _invited(people.invite(request, session, person_id))


@router.post("/{person_id}/disabled", responses=answers(Person, 400, 422))
def set_disabled(request: Request, session: System, person_id: int, change: Disabling) -> Response:
    """Disable or enable; the last of each separated administrator stays."""
    services = services_of(request)
    actor = actor_of(request, session)
    return json_answer(services.state.people.set_disabled(person_id, change.disabled, actor, services.now()))


@router.post("/{person_id}/roles", responses=answers(Person, 400, 422))
def set_roles(
    request: Request, session: Annotated[Session, needs(Right.ROLES_GRANT)], person_id: int, change: RolesChange
) -> Response:
    """Give exactly these roles; an administrator's stands alone. The person is signed out."""
    return json_answer(people.set_roles(request, session, person_id, change.roles, change.units))


def _invited(made: people.Invited) -> Response:
    return json_answer(InvitedPerson(person=made.person, link=made.link))
