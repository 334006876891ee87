"""Every endpoint declares exactly one right, or stands in the one list of public paths below.

``needs(right)`` gives an endpoint the session of the person who asks, if that person has the right. The declaration
becomes ``x-right`` in the OpenAPI document, and ``check_rights`` refuses an app with an undeclared endpoint.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount

from soc_api.access import current_session
from soc_model.right import Right
from soc_model.session import Session

#: All that may be asked for without a session, and nothing else.
PUBLIC = frozenset(
    {
        ("GET", "/healthz"),
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("GET", "/setup/{token}"),
        ("POST", "/setup/{token}"),
        ("GET", "/setup"),
        ("POST", "/setup"),
        ("GET", "/static"),
    }
)


class NotAllowed(Exception):
    """The person is known but lacks ``right``."""

    def __init__(self, right: Right) -> None:
        super().__init__(right)
        self.right = right


class RightNeeded:
    """The check behind ``needs``: a dependency that knows its right."""

    def __init__(self, right: Right) -> None:
        self.right = right

    def __call__(self, request: Request) -> Session:
        """The session of the person who asks; raises NotSignedIn or NotAllowed."""
        session = current_session(request)
        if self.right not in session.rights:
            raise NotAllowed(self.right)
        return session


def needs(right: Right) -> Any:
    """The dependency that gives an endpoint a session with this right."""
    return Depends(RightNeeded(right))


class Endpoint(NamedTuple):
    """One method of one path, and the rights it declares."""

    method: str
    path: str
    rights: tuple[Right, ...]


def endpoints(app: FastAPI) -> Iterator[Endpoint]:
    """Every endpoint of the app, mounts too (as GET of the mount's path)."""
    for route in iter_route_contexts(app.routes):
        path = route.path or ""
        if isinstance(route.original_route, Mount):
            yield Endpoint("GET", path, ())
            continue
        rights = _declared(route.dependant) if isinstance(route.original_route, APIRoute) else ()
        for method in sorted(route.methods or ()):
            if method != "HEAD":
                yield Endpoint(method, path, rights)


def check_rights(app: FastAPI) -> None:
    """Raises RuntimeError naming the endpoints that declare no right, or more than one, and are not public."""
    wrong = [each for each in endpoints(app) if len(each.rights) != (0 if each[:2] in PUBLIC else 1)]
    if wrong:
        raise RuntimeError(f"endpoints without exactly one right: {wrong}")


def _declared(dependant: Any) -> tuple[Right, ...]:
    own = tuple(each.call.right for each in dependant.dependencies if isinstance(each.call, RightNeeded))
    return own + tuple(right for each in dependant.dependencies for right in _declared(each))
