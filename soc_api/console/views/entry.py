"""Coming and going: the one-time link, the page that explains it, the first page of each role, and sign-out."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.responses import PlainTextResponse, RedirectResponse

from soc_api.access import digest, services_of, sign_in, sign_out
from soc_api.console.console import NAVIGATION, Console
from soc_api.rights import needs
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(include_in_schema=False)
Own = Annotated[Session, needs(Right.SESSION_OWN)]


@router.get("/")
def first_page(session: Own) -> Response:
    """The first page that this person may read."""
    path = next(path for _, path, right, _ in NAVIGATION if right in session.rights)
    return RedirectResponse(path, status_code=303)


@router.get("/setup/{token}")
def setup_page(request: Request, token: str) -> Response:
    """A page with a button: looking at the link, as previews do, does not use it up."""
    console: Console = request.app.state.console
    return console.page(request, "setup.html", None)


@router.post("/setup/{token}")
def use_link(request: Request, token: str) -> Response:
    """Use the link up and start a session. Accounts of one role each are not there yet, so only for evaluation."""
    services = services_of(request)
    if not services.evaluation:
        raise HTTPException(503, "accounts are not there yet: start with --evaluation")
    if not services.state.use_link(digest(token), services.now()):
        raise HTTPException(410, "the link was used, is older than 15 minutes, or never was one")
    response = RedirectResponse("/", status_code=303)
    sign_in(response, services)
    return response


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """Where those without a session land: how to get one."""
    console: Console = request.app.state.console
    return console.page(request, "sign_in.html", None)


@router.post("/sign-out")
def leave(request: Request, session: Own) -> Response:
    """End this session."""
    response = RedirectResponse("/sign-in", status_code=303)
    sign_out(request, response)
    return response


@router.get("/healthz")
def alive() -> Response:
    """For supervisors: the app answers. Says nothing else."""
    return PlainTextResponse("ok\n")
