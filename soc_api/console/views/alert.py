"""One alert: what fired and why, the rule, the entities, every finding, and what people do with it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.rights import needs
from soc_api.v1.alerts import find_alert, findings_of, set_alert_state
from soc_model.alert import AlertState
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/alerts/{alert_id}", include_in_schema=False)

FINDINGS = 25
Reader = Annotated[Session, needs(Right.ALERTS_READ)]
Worker = Annotated[Session, needs(Right.ALERTS_WORK)]


@router.get("")
def alert_page(request: Request, session: Reader, alert_id: int) -> Response:
    """The page; its findings come by themselves, since they may have to be searched for."""
    console: Console = request.app.state.console
    return console.page(request, "alert.html", session, **_context(request, session, alert_id))


@router.get("/findings")
async def alert_findings(
    request: Request, session: Reader, alert_id: int, cursor: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """A page of the alert's findings."""
    alert = await run_in_threadpool(find_alert, request, session.scope, alert_id)
    page = await services_of(request).search_findings(session.scope, findings_of(alert, FINDINGS, cursor))
    console: Console = request.app.state.console
    return console.page(
        request,
        "alert_findings.html",
        session,
        alert=alert,
        findings=page.findings,
        cursor=page.cursor,
        first=not cursor,
    )


@router.post("/state")
def change_state(request: Request, session: Worker, alert_id: int, state: Annotated[AlertState, Form()]) -> Response:
    """Acknowledge, close or reopen; to htmx the head of the page as it is then."""
    set_alert_state(request, session, alert_id, state)
    if not request.headers.get("hx-request"):
        return RedirectResponse(f"/alerts/{alert_id}", status_code=303)
    console: Console = request.app.state.console
    return console.page(request, "alert_head.html", session, **_context(request, session, alert_id))


def _context(request: Request, session: Session, alert_id: int) -> dict[str, Any]:
    alert = find_alert(request, session.scope, alert_id)
    source = next((each for each in services_of(request).source_settings() if each.id == alert.source_id), None)
    return {"alert": alert, "source_name": source.name if source else alert.source_id}
