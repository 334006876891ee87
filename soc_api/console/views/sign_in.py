"""The sign-in page: name, password and code in one form; one answer for everything that is wrong."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from soc_api.access import own_digest, put_cookie, services_of
from soc_api.console.console import Console
from soc_api.sign_in import Refused, sign_in

router = APIRouter(prefix="/sign-in", include_in_schema=False)
Text = Annotated[str, Form(max_length=200)]


@router.get("")
def sign_in_page(request: Request) -> Response:
    """The form; for an evaluation also how to make a link."""
    return _page(request, 200)


@router.post("")
def enter(request: Request, name: Text = "", password: Text = "", code: Text = "") -> Response:
    """A new session, whatever session the browser had before, which ends."""
    services = services_of(request)
    done = sign_in(request, name, password, code)
    if isinstance(done, Refused):
        return _page(request, 429 if done.why == "locked" else 401, refused=done.why, until=done.until, name=name)
    services.state.end_session(own_digest(request))
    response = RedirectResponse("/", status_code=303)
    put_cookie(response, services, done)
    return response


def _page(request: Request, status: int, **context: Any) -> Response:
    console: Console = request.app.state.console
    shown = {"refused": "", "until": 0, "name": "", **context}
    return console.page(request, "sign_in.html", None, status=status, **shown)
