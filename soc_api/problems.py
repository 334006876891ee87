"""Errors as RFC 9457 problem documents for systems, and as pages for people.

A problem never echoes what was sent, only its place and what is wrong there. ``/api``, ``/healthz`` and ``/metrics``
answer with ``application/problem+json``; every other path with the console's error page (``app.state.console``).
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from soc_api.access import NotSignedIn
from soc_api.headers import add_headers
from soc_api.password import Busy
from soc_api.rights import NotAllowed
from soc_model.problem import Problem

PROBLEM_JSON = "application/problem+json"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One bad value: where, and what is wrong there."""

    place: str
    what: str


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457: ``type`` is always about:blank, so ``title`` is the status phrase; ``errors`` name the places."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Place] = []


def problem_response(request: Request, status: int, detail: str, errors: Sequence[Place] = ()) -> Response:
    """The problem as a document for systems or as a page for people, depending on the path."""
    if not is_for_people(request):
        document = ProblemDocument(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
        return Response(msgspec.json.encode(document), status, media_type=PROBLEM_JSON)
    page: Response = request.app.state.console.error_page(request, status, detail, errors)
    return page


def is_for_people(request: Request) -> bool:
    """Whether the path belongs to the console."""
    path = request.url.path
    return not (path.startswith("/api/") or path in ("/healthz", "/metrics"))


def add_problem_handlers(app: FastAPI) -> None:
    """Every error of the app becomes a problem."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(Busy, _busy)
    app.add_exception_handler(Problem, _bad_input)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _not_signed_in(request: Request, error: Exception) -> Response:
    if not is_for_people(request):
        return problem_response(request, 401, "no session and no valid key: sign in first, or send one")
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse("/sign-in", status_code=303)


def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    return problem_response(request, 403, f"this needs the right {error.right.value}")


def _busy(request: Request, error: Exception) -> Response:
    response = problem_response(request, 429, "too many sign-ins at once; try again in a moment")
    response.headers["Retry-After"] = "1"
    return response


def _bad_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(request, 400, error.what, [Place(place=error.place, what=error.what)])


def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [Place(place=_place(each["loc"]), what=each["msg"]) for each in error.errors()]
    return problem_response(request, 422, "; ".join(f"{each.place}: {each.what}" for each in errors), errors)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = problem_response(request, error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def _unexpected(request: Request, error: Exception) -> Response:
    # Answered outside all middleware, so the headers are put on here.
    response = problem_response(request, 500, "the center made a mistake; its log says which")
    add_headers(MutableHeaders(raw=response.raw_headers))
    return response


def _place(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])
