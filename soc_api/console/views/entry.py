"""The first page of each role, sign-out, and the sign of life."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from starlette.responses import PlainTextResponse, RedirectResponse

from soc_api.access import actor_of, drop_cookie, own_digest, services_of
from soc_api.console.console import NAVIGATION
from soc_api.rights import needs
from soc_model.audit import Act
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(include_in_schema=False)
Own = Annotated[Session, needs(Right.SESSION_OWN)]


@router.get("/")
def first_page(session: Own) -> Response:
    """The first page that this person may read; without a role that is their own account."""
    return RedirectResponse(next(path for _, path, right, _ in NAVIGATION if right in session.rights), status_code=303)


@router.post("/sign-out")
def leave(request: Request, session: Own) -> Response:
    """End this session."""
    services, response = services_of(request), RedirectResponse("/sign-in", status_code=303)
    services.state.end_session(own_digest(request))
    services.state.audit.record(Act.SIGN_OUT, actor_of(request, session), session.person, services.now())
    drop_cookie(response, services)
    return response


@router.get("/healthz")
def alive() -> Response:
    """For supervisors: the app answers. Says nothing else."""
    return PlainTextResponse("ok\n")
