"""API keys: what each may, when it was used, and a form for a new one, whose token is shown once."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from soc_api.access import actor_of, services_of
from soc_api.console.console import Console
from soc_api.people import KEY_DAYS, make_key
from soc_api.rights import needs
from soc_model.problem import Problem
from soc_model.right import KEY_ROLES, Right, Role
from soc_model.session import Session

router = APIRouter(prefix="/keys", include_in_schema=False)
Security = Annotated[Session, needs(Right.KEYS_MANAGE)]
ALL_UNITS = "*"


class KeyFields(BaseModel):
    """The form of a new key."""

    name: Annotated[str, Field(max_length=200)] = ""
    role: Role = Role.EXTERNAL_SYSTEM
    unit: Annotated[str, Field(max_length=200)] = ALL_UNITS
    days: int = KEY_DAYS


@router.get("")
def keys_page(request: Request, session: Security) -> Response:
    """Every key, the newest first."""
    return _page(request, session)


@router.post("")
def make(request: Request, session: Security, fields: Annotated[KeyFields, Form()]) -> Response:
    """A new key; the page that comes back shows its token this once."""
    units = None if fields.unit == ALL_UNITS else frozenset({fields.unit})
    try:
        _, token = make_key(request, session, name=fields.name, role=fields.role, units=units, days=fields.days)
    except Problem as problem:
        return _page(request, session, problem=problem)
    return _page(request, session, token=token)


@router.post("/{key_id}/revoke")
def revoke(request: Request, session: Security, key_id: int) -> Response:
    """End a key at once."""
    services = services_of(request)
    services.state.keys.revoke(key_id, actor_of(request, session), services.now())
    return RedirectResponse("/keys", status_code=303)


def _page(request: Request, session: Session, *, token: str = "", problem: Problem | None = None) -> Response:
    console: Console = request.app.state.console
    return console.page(
        request,
        "keys.html",
        session,
        status=400 if problem else 200,
        keys=services_of(request).state.keys.all(),
        roles=sorted(KEY_ROLES),
        days=KEY_DAYS,
        all_units=ALL_UNITS,
        token=token,
        problem=problem,
    )
