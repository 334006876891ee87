"""People: the system administrator makes and disables them, the security administrator gives them roles."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from soc_api.access import actor_of, services_of
from soc_api.console.console import Console
from soc_api.people import Invited, invite, make_person, set_roles
from soc_api.rights import needs
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, PEOPLE_ROLES, Right, Role
from soc_model.session import Session

router = APIRouter(prefix="/people", include_in_schema=False)
Reader = Annotated[Session, needs(Right.PEOPLE_READ)]
System = Annotated[Session, needs(Right.PEOPLE_MANAGE)]
Security = Annotated[Session, needs(Right.ROLES_GRANT)]
ALL_UNITS = "*"


@router.get("")
def people_page(request: Request, session: Reader) -> Response:
    """Everybody, with what the reader may change."""
    return _page(request, session)


@router.post("")
def make(request: Request, session: System, name: Annotated[str, Form(max_length=200)] = "") -> Response:
    """A new person; the page that comes back shows their link this once."""
    try:
        return _page(request, session, invited=make_person(request, session, name))
    except Problem as problem:
        return _page(request, session, problem=problem)


@router.post("/{person_id}/link")
def make_link(request: Request, session: System, person_id: int) -> Response:
    """A new link for a person; shown this once."""
    try:
        return _page(request, session, invited=invite(request, session, person_id))
    except Problem as problem:
        return _page(request, session, problem=problem)


@router.post("/{person_id}/disabled")
def disable(request: Request, session: System, person_id: int, disabled: Annotated[bool, Form()] = False) -> Response:
    """Disable or enable a person."""
    services, actor = services_of(request), actor_of(request, session)
    try:
        services.state.people.set_disabled(person_id, disabled, actor, services.now())
    except Problem as problem:
        return _page(request, session, problem=problem)
    return RedirectResponse("/people", status_code=303)


@router.post("/{person_id}/roles")
def grant(
    request: Request,
    session: Security,
    person_id: int,
    role: Annotated[list[Role], Form()] = [],  # noqa: B006 - FastAPI copies it
    unit: Annotated[list[str], Form()] = [],  # noqa: B006
) -> Response:
    """Give a person exactly these roles and units; no unit named is none changed to all."""
    units = None if ALL_UNITS in unit or not unit else frozenset(unit)
    try:
        set_roles(request, session, person_id, frozenset(role), units)
    except Problem as problem:
        return _page(request, session, problem=problem)
    return RedirectResponse("/people", status_code=303)


def _page(
    request: Request, session: Session, *, invited: Invited | None = None, problem: Problem | None = None
) -> Response:
    console: Console = request.app.state.console
    people = services_of(request).state.people.all()
    context: dict[str, Any] = {
        "people": people,
        "linkable": {one.id for one in people if not one.disabled and not one.roles & ADMINISTRATORS},
        "roles": [role for role in Role if role in PEOPLE_ROLES],
        "all_units": ALL_UNITS,
        "invited": invited,
        "problem": problem,
    }
    return console.page(request, "people.html", session, status=400 if problem else 200, **context)
