"""What API and console do alike with people and keys: make one, invite with a link, make a key."""

from dataclasses import dataclass

from fastapi import Request

from soc_api.access import KEY_MARK, LINK_US, actor_of, digest, new_token, services_of
from soc_model.person import ApiKey, Person
from soc_model.problem import Problem
from soc_model.right import Role
from soc_model.session import Session

DAY_US = 86_400_000_000
KEY_DAYS, KEY_DAYS_MOST = 90, 366
PREFIX_LETTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """A person and their link, which is shown this once."""

    person: Person
    link: str


def make_person(request: Request, session: Session, name: str) -> Invited:
    """A new person without roles, and the link at which they set themselves up; raises Problem."""
    services = services_of(request)
    made = services.state.people.make(name, frozenset(), actor_of(request, session), services.now())
    return invite(request, session, made.id)


def invite(request: Request, session: Session, person_id: int) -> Invited:
    """A new link for a person; raises Problem for administrators, whose links are made on the terminal."""
    services, token = services_of(request), new_token()
    expires = services.now() + LINK_US
    found = services.state.people.invite(person_id, digest(token), expires, actor_of(request, session), services.now())
    return Invited(person=found, link=f"{request.base_url}setup/{token}")


def set_roles(
    request: Request, session: Session, person_id: int, roles: frozenset[Role], units: frozenset[str] | None
) -> Person:
    """The person with these roles and units; raises Problem for what cannot be combined and units not configured."""
    services = services_of(request)
    _check_units(request, units)
    return services.state.people.set_roles(person_id, roles, units, actor_of(request, session), services.now())


def make_key(
    request: Request, session: Session, *, name: str, role: Role, units: frozenset[str] | None, days: int
) -> tuple[ApiKey, str]:
    """A new key and its token, which is shown this once; raises Problem."""
    services, token = services_of(request), f"{KEY_MARK}{new_token()}"
    _check_units(request, units)
    if not 1 <= days <= KEY_DAYS_MOST:
        raise Problem("days", "must be 1 to 366")
    now = services.now()
    wanted = ApiKey(
        id=0,
        name=name,
        prefix=token[: len(KEY_MARK) + PREFIX_LETTERS],
        role=role,
        units=units,
        created=now,
        created_by=session.person,
        expires=now + days * DAY_US,
    )
    return services.state.keys.make(digest(token), wanted, actor_of(request, session), now), token


def _check_units(request: Request, units: frozenset[str] | None) -> None:
    unknown = (units or frozenset()) - set(services_of(request).units)
    if unknown:
        raise Problem("units", "there is no such unit")
    if units is not None and not units:
        raise Problem("units", "name at least one, or none for all")
