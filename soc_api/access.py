"""Who is asking: the session cookie of a person or the key of a system, and the tokens behind both.

A token has 256 bits, lives only in the link, cookie or key, and is looked up by its SHA-256. A cookie is HttpOnly,
SameSite=Strict, and carries the ``__Host-`` prefix where it travels over TLS only. A key works on ``/api`` alone.
"""

import secrets
from hashlib import sha256

from fastapi import HTTPException, Request, Response

from soc_api.services import Services
from soc_model.person import Actor
from soc_model.right import Role
from soc_model.session import Session

SESSION_US = 12 * 3600 * 1_000_000
IDLE_US = 30 * 60 * 1_000_000
LINK_US = 15 * 60 * 1_000_000
KEY_MARK = "fsk_"
_KEY_BEARER = f"bearer {KEY_MARK}"
#: A page that asks by itself says so: that is no use of the session by a person.
UNATTENDED = "x-unattended"


class NotSignedIn(Exception):
    """The request carries no session and no key that is valid now."""


def services_of(request: Request) -> Services:
    """What the app was given."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def current_session(request: Request) -> Session:
    """The session of the request's cookie, or of its key; raises NotSignedIn, and refuses what carries both."""
    if carries_key(request):
        return _key_session(request)
    session = cookie_session(request)
    if UNATTENDED not in request.headers:
        services = services_of(request)
        services.state.touch_session(own_digest(request), services.now())
    return session


def cookie_session(request: Request) -> Session:
    """The session of the request's cookie, which does not count as use; raises NotSignedIn."""
    services = services_of(request)
    token = request.cookies.get(cookie_name(services))
    session = services.state.session(digest(token), services.now()) if token else None
    if session is None:
        raise NotSignedIn
    return session


def still_valid(request: Request) -> bool:
    """Whether the session the request came with has neither ended nor been ended since; it is not used by asking."""
    try:
        _key_session(request) if carries_key(request) else cookie_session(request)
    except NotSignedIn:
        return False
    return True


def carries_key(request: Request) -> bool:
    """Whether the request comes with something that looks like a key of ours."""
    return request.headers.get("authorization", "")[: len(_KEY_BEARER)].lower() == _KEY_BEARER


def _key_session(request: Request) -> Session:
    services = services_of(request)
    if not request.url.path.startswith("/api/"):
        raise HTTPException(403, "a key works on /api only")
    if cookie_name(services) in request.cookies:
        raise HTTPException(400, "a request comes with a session or with a key, not with both")
    token = request.headers["authorization"][len("bearer ") :].strip()
    key = services.state.keys.valid(digest(token), services.now())
    if key is None:
        raise NotSignedIn
    roles, name = frozenset({key.role}), f"key {key.name}"
    return Session(person=name, roles=roles, units=key.units, created=key.created, expires=key.expires, key_id=key.id)


def start_evaluation(request: Request, response: Response) -> None:
    """Start the evaluation session, which has every role, and hand its token to the browser."""
    services, token = services_of(request), new_token()
    services.state.start_session(digest(token), blank_session(request, person="evaluation", roles=frozenset(Role)))
    put_cookie(response, services, token)


def blank_session(
    request: Request, *, person: str = "", roles: frozenset[Role] = frozenset(), idle: int = 0
) -> Session:
    """A session from now on, for whoever turns out to start it."""
    now = services_of(request).now()
    return Session(
        person=person,
        roles=roles,
        units=None,
        created=now,
        expires=now + SESSION_US,
        idle_us=idle,
        address=address_of(request),
        agent=request.headers.get("user-agent", "")[:120],
    )


def put_cookie(response: Response, services: Services, token: str) -> None:
    """Hand a session's token to the browser. It is always a new one: what the browser had before means nothing."""
    response.set_cookie(
        cookie_name(services),
        token,
        max_age=SESSION_US // 1_000_000,
        path="/",
        secure=services.secure_cookie,
        httponly=True,
        samesite="strict",
    )


def drop_cookie(response: Response, services: Services) -> None:
    """Take the session's cookie back."""
    name = cookie_name(services)
    response.delete_cookie(name, path="/", secure=services.secure_cookie, httponly=True, samesite="strict")


def cookie_name(services: Services) -> str:
    """``__Host-`` pins the cookie to this host over TLS; browsers refuse the prefix without ``Secure``."""
    return "__Host-fengsui" if services.secure_cookie else "fengsui"


def own_digest(request: Request) -> str:
    """What the store knows the request's session by; the digest of nothing where it has none."""
    return digest(request.cookies.get(cookie_name(services_of(request)), ""))


def address_of(request: Request) -> str:
    """The address of the peer; there is no trusted proxy, so no header is believed."""
    return request.client.host if request.client else ""


def actor_of(request: Request, session: Session) -> Actor:
    """Who acts, as the audit record names them."""
    return Actor(name=session.person, person_id=session.person_id, address=address_of(request))


def new_token() -> str:
    """A fresh token of 256 bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """SHA-256 of a token as hex: what the store knows it by."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
