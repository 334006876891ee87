"""What stands before every endpoint: our own host names, our own origin, and the first-start gate.

Plain ASGI, so that it also holds for static files, redirects, unknown paths and the stream.
"""

import re
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from soc_api.access import carries_key
from soc_api.problems import problem_response
from soc_api.services import Services

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BEFORE_SETUP = re.compile(r"/setup(/[^/]+)?|/static/.*|/healthz")


class OwnHost:
    """Answers only to the center's own host names, against DNS rebinding."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _host(Headers(scope=scope).get("host", "")) not in self.hosts:
            refusal = problem_response(Request(scope), 400, "this center does not answer to that host name")
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


class OwnOrigin:
    """An unsafe method must come from a page of this center, against cross-site request forgery."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE and not _may_write(Request(scope)):
            refusal = problem_response(Request(scope), 403, "the request does not come from a page of this center")
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


class FirstStart:
    """Until the center has been set up, nothing but the pages of the one-time links answers.

    For an evaluation that is one link used; else all three separated administrators can act.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services
        self.opened = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self.opened and not _BEFORE_SETUP.fullmatch(scope["path"]):
            waits_for = await run_in_threadpool(waiting_for, self.services)
            self.opened = not waits_for
            if waits_for:
                return await problem_response(Request(scope), 503, waits_for)(scope, receive, send)
        return await self.app(scope, receive, send)


def waiting_for(services: Services) -> str:
    """What the first start still waits for; empty once the center is set up."""
    if services.evaluation:
        why = "open the one-time link that stands on the terminal where the center started"
        return "" if services.state.link_used_ever() else why
    missing = services.state.people.missing_administrators()
    if not missing:
        return ""
    return f"not set up yet: {', '.join(missing)}; open their one-time links, which stand on the terminal"


def _may_write(request: Request) -> bool:
    """A key of our API stands in a header that no foreign page can set, so it needs no Origin."""
    return (carries_key(request) and request.url.path.startswith("/api/")) or from_own_page(request)


def from_own_page(request: Request) -> bool:
    """Whether browser headers prove that a page of this very origin sent the request.

    Under ``Referrer-Policy: no-referrer`` the Origin of a plain form is "null" (Fetch standard, "append a request
    Origin header"); then ``Sec-Fetch-Site``, which no page can set, must say same-origin.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    if origin in ("", "null"):
        return site == "same-origin"
    own = urlsplit(str(request.base_url))
    return origin == f"{own.scheme}://{own.netloc}" and site in (None, "same-origin")


def _host(header: str) -> str:
    """The host of a Host header, lower case, without port and brackets."""
    return re.sub(r":\d*$", "", header).strip("[]").lower()
