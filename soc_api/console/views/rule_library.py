"""The rule library: the update that waits with what it would change, the versions that are kept, and the way back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from soc_api.access import actor_of, services_of
from soc_api.console.console import Console
from soc_api.rights import needs
from soc_model.problem import Problem
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/rules/library", include_in_schema=False)

Reader = Annotated[Session, needs(Right.RULES_READ)]
Administrator = Annotated[Session, needs(Right.RULES_MANAGE)]


@router.get("")
def library_page(request: Request, session: Reader) -> Response:
    """The page."""
    return _page(request, session)


@router.post("/confirm")
def confirm(
    request: Request,
    session: Administrator,
    version: Annotated[int, Form()],
    sha256: Annotated[str, Form(max_length=64)],
) -> Response:
    """Let the update run that the page showed."""
    try:
        services_of(request).rules.confirm(version, sha256, actor_of(request, session))
    except Problem as problem:
        return _page(request, session, problem)
    return RedirectResponse("/rules/library", status_code=303)


@router.post("/refuse")
def refuse(request: Request, session: Administrator, version: Annotated[int, Form()]) -> Response:
    """Drop the update."""
    try:
        services_of(request).rules.refuse(version, actor_of(request, session))
    except Problem as problem:
        return _page(request, session, problem)
    return RedirectResponse("/rules/library", status_code=303)


@router.post("/back")
def back(request: Request, session: Administrator, version: Annotated[int, Form(ge=0)]) -> Response:
    """Let a kept version run again."""
    try:
        services_of(request).rules.back(version, actor_of(request, session))
    except Problem as problem:
        return _page(request, session, problem)
    return RedirectResponse("/rules/library", status_code=303)


def _page(request: Request, session: Session, problem: Problem | None = None) -> Response:
    services = services_of(request)
    library = services.rules.library()
    before = next((each.version for each in library.versions if each.version < library.active), 0)
    console: Console = request.app.state.console
    return console.page(
        request,
        "rule_library.html",
        session,
        status=400 if problem else 200,
        library=library,
        before=before,
        head=services.rules.catalogue.head(),
        health=services.health(),
        problem=problem,
    )
