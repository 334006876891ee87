"""What is behind a one-time link: name and password, then the one-time code, then the recovery codes.

Looking at the link does not use it up, as previews do; answering it does, and from then on a cookie of this browser
stands for it. An evaluation's link starts its session at once.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from starlette.responses import RedirectResponse

from soc_api.access import LINK_US, address_of, digest, new_token, put_cookie, services_of, start_evaluation
from soc_api.console.console import Console
from soc_api.enrolling import OVER, sealed_secret, under_way
from soc_api.one_time_code import (
    fresh_step,
    grouped,
    new_recovery_codes,
    recovery_digest,
    secret_picture,
)
from soc_api.password import check_password
from soc_api.services import Services
from soc_api.sign_in import passwords_of, start_session
from soc_model.person import Enrolment, Invitation, checked_name
from soc_model.problem import Problem

router = APIRouter(prefix="/setup", include_in_schema=False)
Text = Annotated[str, Form(max_length=200)]


@router.get("/{token}")
def setup_page(request: Request, token: str) -> Response:
    """The form of the first step; for an evaluation a page with a button."""
    services = services_of(request)
    invitation = services.state.people.invitation(digest(token), services.now())
    if invitation is None and not services.evaluation:
        raise HTTPException(410, OVER)
    return _first_step(request, invitation)


@router.post("/{token}")
def answer(request: Request, token: str, name: Text = "", password: Text = "", again: Text = "") -> Response:
    """Use the link up with what was chosen, and go on to the code."""
    services = services_of(request)
    invitation = services.state.people.invitation(digest(token), services.now())
    if invitation is None or invitation.person is None:
        return _evaluation(request, token)
    cookie = new_token()
    try:
        chosen = _chosen(request, invitation, name, password, again)
        if not services.state.enrolments.begin(
            digest(token), digest(cookie), chosen, address_of(request), services.now()
        ):
            raise HTTPException(410, OVER)
    except Problem as problem:
        return _first_step(request, invitation, problem, name)
    response = RedirectResponse("/setup", status_code=303)
    _put(response, services, cookie)
    return response


@router.get("")
def code_page(request: Request) -> Response:
    """The second step: the secret, as a picture and to be typed."""
    return _second_step(request, _under_way(request))


@router.post("")
def confirm(request: Request, code: Text = "") -> Response:
    """The third step, once a code has proved that the device holds the secret: signed in, and the recovery codes."""
    services, found = services_of(request), _under_way(request)
    step = fresh_step(code, found.totp_secret, 0, services.now())
    token = digest(request.cookies.get(_cookie(services), ""))
    if step is None:
        services.state.enrolments.failed(token, services.now())
        return _second_step(request, _under_way(request), Problem("code", WRONG_CODE))
    codes = new_recovery_codes()
    kept = [recovery_digest(found.person_id, each) or "" for each in codes]
    person = services.state.enrolments.complete(token, step, kept, address_of(request), services.now())
    if person is None:
        raise HTTPException(410, OVER)
    response = _page(request, "setup_codes.html", codes=codes, person=person)
    response.delete_cookie(_cookie(services), path="/setup", secure=services.secure_cookie, httponly=True)
    put_cookie(response, services, start_session(request, person))
    return response


WRONG_CODE = "is not right; look at the clock of the device, and try the next one"


def _chosen(request: Request, invitation: Invitation, name: str, password: str, again: str) -> Enrolment:
    """What was typed, checked; raises Problem. Somebody who has a name keeps it."""
    person = invitation.person
    assert person is not None
    name = person.name or checked_name(name)
    check_password(password, name)
    if password != again:
        raise Problem("password", "the two are not the same")
    with passwords_of(request).turn() as hashing:
        hashed = hashing.hash(password)
    services = services_of(request)
    secret, expires = sealed_secret(services, person.id), services.now() + LINK_US
    return Enrolment(person_id=person.id, name=name, password=hashed, totp_secret=secret, expires=expires)


def _evaluation(request: Request, token: str) -> Response:
    services = services_of(request)
    if not services.evaluation:
        raise HTTPException(410, OVER)
    if not services.state.use_link(digest(token), services.now()):
        raise HTTPException(410, OVER)
    response = RedirectResponse("/", status_code=303)
    start_evaluation(request, response)
    return response


def _under_way(request: Request) -> Enrolment:
    services = services_of(request)
    token = request.cookies.get(_cookie(services), "")
    return under_way(services, digest(token))


def _first_step(
    request: Request, invitation: Invitation | None, problem: Problem | None = None, name: str = ""
) -> Response:
    if invitation is None or invitation.person is None:
        return _page(request, "setup.html")
    status = 400 if problem else 200
    return _page(request, "setup_account.html", status, person=invitation.person, problem=problem, name=name)


def _second_step(request: Request, found: Enrolment, problem: Problem | None = None) -> Response:
    picture = secret_picture(found.totp_secret, found.name, services_of(request).name)
    secret = grouped(found.totp_secret)
    return _page(request, "setup_code.html", 400 if problem else 200, picture=picture, secret=secret, problem=problem)


def _page(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    console: Console = request.app.state.console
    return console.page(request, template, None, status=status, **context)


def _put(response: Response, services: Services, token: str) -> None:
    response.set_cookie(
        _cookie(services),
        token,
        max_age=LINK_US // 1_000_000,
        path="/setup",
        secure=services.secure_cookie,
        httponly=True,
        samesite="strict",
    )


def _cookie(services: Services) -> str:
    return "__Secure-fengsui-setup" if services.secure_cookie else "fengsui-setup"
