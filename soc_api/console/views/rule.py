"""One rule: what it is and needs, its text, what it found, what was decided of it, and the buttons that decide."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.responses import RedirectResponse

from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.rights import needs
from soc_api.rule_list import DAY_US
from soc_api.v1.parameters import ShortText
from soc_api.v1.rules import decide, find_rule
from soc_model.problem import Problem
from soc_model.right import Right
from soc_model.rule_state import RuleState
from soc_model.session import Session
from soc_store.search import FindingPage, FindingQuery

router = APIRouter(prefix="/rules/{rule_id}", include_in_schema=False)

FINDINGS = 25
SHOWN_US = 7 * DAY_US
Reader = Annotated[Session, needs(Right.RULES_READ)]
FindingReader = Annotated[Session, needs(Right.ALERTS_READ)]
Administrator = Annotated[Session, needs(Right.RULES_MANAGE)]


@router.get("")
def rule_page(request: Request, session: Reader, rule_id: ShortText) -> Response:
    """The page; its findings come by themselves, since they have to be searched for."""
    return _page(request, session, rule_id)


@router.get("/findings")
async def rule_findings(
    request: Request, session: FindingReader, rule_id: ShortText, cursor: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """The rule's findings of the last days, those that raise no alert too."""
    services = services_of(request)
    hours = services.rules.hours.hours(session.scope, rule_id, services.now() - SHOWN_US)
    page = FindingPage(findings=[], cursor=None)
    if hours:
        first, last = min(each.first_offset for each in hours), max(each.last_offset for each in hours)
        wanted = FindingQuery(
            rule_id=rule_id, first_offset=first, last_offset=last, limit=FINDINGS, cursor=cursor or None
        )
        page = await services.search_findings(session.scope, wanted)
    console: Console = request.app.state.console
    return console.page(
        request,
        "rule_findings.html",
        session,
        rule_id=rule_id,
        findings=page.findings,
        cursor=page.cursor,
        first=not cursor,
    )


@router.post("/state")
def change_state(
    request: Request,
    session: Administrator,
    rule_id: ShortText,
    state: Annotated[RuleState, Form()],
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Put the rule into another state; without a reason the page comes back and asks for it."""
    try:
        decide(request, session, rule_id, state, reason)
    except Problem as problem:
        return _page(request, session, rule_id, problem)
    return RedirectResponse(request.url.path.removesuffix("/state"), status_code=303)


def _page(request: Request, session: Session, rule_id: str, problem: Problem | None = None) -> Response:
    detail = find_rule(request, session, rule_id)
    console: Console = request.app.state.console
    return console.page(
        request,
        "rule.html",
        session,
        status=400 if problem else 200,
        detail=detail,
        row=detail.row,
        rule=detail.row.rule,
        card=detail.whole.card,
        most=max(day.findings for day in detail.days),
        problem=problem,
    )
