"""Who is asking: the session cookie, and the tokens behind links and cookies.

A token has 256 bits, lives only in the link or cookie, and is looked up by its SHA-256. A cookie is HttpOnly,
SameSite=Strict, and carries the ``__Host-`` prefix where it travels over TLS only.
"""

import secrets
from hashlib import sha256

from fastapi import Request, Response

from soc_api.services import Services
from soc_model.right import Role
from soc_model.session import Session

SESSION_US = 12 * 3600 * 1_000_000


class NotSignedIn(Exception):
    """The request carries no session that is valid now."""


def services_of(request: Request) -> Services:
    """What the app was given."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def current_session(request: Request) -> Session:
    """The session of the request's cookie; raises NotSignedIn."""
    services = services_of(request)
    token = request.cookies.get(cookie_name(services))
    session = services.state.session(digest(token), services.now()) if token else None
    if session is None:
        raise NotSignedIn
    return session


def still_valid(request: Request) -> bool:
    """Whether the session the request came with has neither ended nor been ended since."""
    try:
        current_session(request)
    except NotSignedIn:
        return False
    return True


def sign_in(response: Response, services: Services) -> None:
    """Start the evaluation session, which has every role, and hand its token to the browser."""
    token, now = secrets.token_urlsafe(32), services.now()
    session = Session(person="evaluation", roles=frozenset(Role), units=None, created=now, expires=now + SESSION_US)
    services.state.start_session(digest(token), session)
    response.set_cookie(
        cookie_name(services),
        token,
        max_age=SESSION_US // 1_000_000,
        path="/",
        secure=services.secure_cookie,
        httponly=True,
        samesite="strict",
    )


def sign_out(request: Request, response: Response) -> None:
    """End the session of the request and take its cookie back."""
    services = services_of(request)
    name = cookie_name(services)
    if token := request.cookies.get(name):
        services.state.end_session(digest(token))
    response.delete_cookie(name, path="/", secure=services.secure_cookie, httponly=True, samesite="strict")


def cookie_name(services: Services) -> str:
    """``__Host-`` pins the cookie to this host over TLS; browsers refuse the prefix without ``Secure``."""
    return "__Host-fengsui" if services.secure_cookie else "fengsui"


def digest(token: str) -> str:
    """SHA-256 of a token as hex: what the store knows it by."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
