"""My account: password, one-time codes, recovery codes and sessions of whoever is signed in."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from soc_api.access import LINK_US, actor_of, address_of, drop_cookie, own_digest, services_of
from soc_api.console.console import Console
from soc_api.console.views.setup import WRONG_CODE
from soc_api.enrolling import OVER, sealed_secret, under_way
from soc_api.one_time_code import (
    fresh_step,
    grouped,
    new_recovery_codes,
    recovery_digest,
    secret_picture,
)
from soc_api.password import check_password
from soc_api.rights import needs
from soc_api.sign_in import Refused, passwords_of, proved_again
from soc_model.person import Enrolment
from soc_model.problem import Problem
from soc_model.right import Right
from soc_model.session import Session
from soc_store.access import ID_LETTERS

router = APIRouter(prefix="/account", include_in_schema=False)
Own = Annotated[Session, needs(Right.SESSION_OWN)]
Text = Annotated[str, Form(max_length=200)]
Typed = Annotated[str, Field(max_length=200)]
SessionId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$")]


class PasswordFields(BaseModel):
    """The form of a new password."""

    current: Typed = ""
    code: Typed = ""
    password: Typed = ""
    again: Typed = ""


@router.get("")
def account_page(request: Request, session: Own) -> Response:
    """The page; of an evaluation's session there is nothing to change."""
    return _account(request, session)


@router.post("/password")
def change_password(request: Request, session: Own, fields: Annotated[PasswordFields, Form()]) -> Response:
    """Another password; every other session ends."""
    try:
        check_password(fields.password, session.person)
        if fields.password != fields.again:
            raise Problem("password", "the two are not the same")
        _prove(request, session, fields.current, fields.code)
    except Problem as problem:
        return _account(request, session, problem)
    with passwords_of(request).turn() as hashing:
        hashed = hashing.hash(fields.password)
    services = services_of(request)
    actor = actor_of(request, session)
    services.state.sign_ins.change_password(session.person_id, hashed, own_digest(request), actor, services.now())
    return RedirectResponse("/account", status_code=303)


@router.post("/code")
def begin_code(request: Request, session: Own, current: Text = "", code: Text = "") -> Response:
    """A new secret for the one-time codes, shown after password and code were right; the old one holds until then."""
    try:
        _prove(request, session, current, code)
    except Problem as problem:
        return _account(request, session, problem)
    services = services_of(request)
    secret, expires = sealed_secret(services, session.person_id), services.now() + LINK_US
    chosen = Enrolment(
        person_id=session.person_id, name=session.person, password="", totp_secret=secret, expires=expires
    )
    services.state.enrolments.begin_own(own_digest(request), chosen, services.now())
    return RedirectResponse("/account/code", status_code=303)


@router.get("/code")
def code_page(request: Request, session: Own) -> Response:
    """The new secret."""
    return _code(request, session)


@router.post("/code/confirm")
def confirm_code(request: Request, session: Own, code: Text = "") -> Response:
    """New recovery codes, once a code has proved that the device holds the secret."""
    services, found = services_of(request), _under_way(request)
    step = fresh_step(code, found.totp_secret, 0, services.now())
    if step is None:
        services.state.enrolments.failed(own_digest(request), services.now())
        return _code(request, session, Problem("code", WRONG_CODE))
    codes = new_recovery_codes()
    kept = [recovery_digest(found.person_id, each) or "" for each in codes]
    person = services.state.enrolments.complete(own_digest(request), step, kept, address_of(request), services.now())
    if person is None:
        raise HTTPException(410, OVER)
    return _page(request, session, "setup_codes.html", codes=codes, person=person)


@router.post("/sessions/end")
def end_sessions(request: Request, session: Own) -> Response:
    """Sign out everywhere, here too."""
    services = services_of(request)
    services.state.sign_ins.revoke(session.person_id, actor_of(request, session), services.now())
    services.state.end_session(own_digest(request))
    response = RedirectResponse("/sign-in", status_code=303)
    drop_cookie(response, services)
    return response


@router.post("/sessions/{session_id}/end")
def end_session(request: Request, session: Own, session_id: SessionId) -> Response:
    """End one session of one's own."""
    services = services_of(request)
    actor = actor_of(request, session)
    if session.person_id:
        services.state.sign_ins.revoke(session.person_id, actor, services.now(), only=session_id)
    return RedirectResponse("/account", status_code=303)


def _prove(request: Request, session: Session, password: str, code: str) -> None:
    """Raise Problem unless these are the person's password and a fresh code."""
    if not session.person_id:
        raise Problem("current", "an evaluation has no password")
    right = proved_again(request, session.person, password, code)
    if isinstance(right, Refused):
        raise Problem("current", "too many wrong ones; try again in a quarter of an hour")
    if not right:
        raise Problem("current", "the password or the code is not right")


def _under_way(request: Request) -> Enrolment:
    return under_way(services_of(request), own_digest(request))


def _account(request: Request, session: Session, problem: Problem | None = None) -> Response:
    services = services_of(request)
    known = session.person_id
    return _page(
        request,
        session,
        "account.html",
        400 if problem else 200,
        problem=problem,
        person=services.state.people.one(known) if known else None,
        sessions=services.state.sign_ins.sessions(known, services.now()) if known else [],
        codes_left=services.state.sign_ins.codes_left(known) if known else 0,
        own_id=own_digest(request)[:ID_LETTERS],
    )


def _code(request: Request, session: Session, problem: Problem | None = None) -> Response:
    found = _under_way(request)
    picture = secret_picture(found.totp_secret, found.name, services_of(request).name)
    secret = grouped(found.totp_secret)
    status = 400 if problem else 200
    return _page(request, session, "account_code.html", status, picture=picture, secret=secret, problem=problem)


def _page(request: Request, session: Session, template: str, status: int = 200, **context: Any) -> Response:
    console: Console = request.app.state.console
    return console.page(request, template, session, status=status, **context)
