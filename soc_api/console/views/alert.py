"""One alert: what fired and why, the rule, the entities, every finding, and what people do with it."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.console.text import query_value
from soc_api.rights import needs
from soc_api.v1.alerts import find_alert, find_episodes, findings_of, set_alert_state
from soc_model.alert import AlertState
from soc_model.episode import Episode
from soc_model.event import HEADER
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/alerts/{alert_id}", include_in_schema=False)

FINDINGS = 25
BAR_LINE, BAR_LEAST = 1_000, 4
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


@router.get("/episodes")
def alert_episodes(
    request: Request, session: Reader, alert_id: int, cursor: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """The next episodes of an alert of a correlation."""
    alert = find_alert(request, session.scope, alert_id)
    page = find_episodes(request, session.scope, alert, FINDINGS, cursor)
    console: Console = request.app.state.console
    return console.page(request, "alert_episodes_rows.html", session, alert=alert, page=page)


@router.get("/episodes/{finding_id}")
def alert_episode(request: Request, session: Reader, alert_id: int, finding_id: str) -> Response:
    """One episode unfolded: samples of its base events, or of the episodes it builds on."""
    alert = find_alert(request, session.scope, alert_id)
    found = services_of(request).state.episode(session.scope, finding_id)
    if found is None:
        raise HTTPException(404, "no such episode")
    console: Console = request.app.state.console
    return console.page(request, "alert_episode.html", session, alert=alert, episode=found, search=search_of(found))


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
    page = find_episodes(request, session.scope, alert, FINDINGS)
    return {
        "alert": alert,
        "source_name": source.name if source else alert.source_id,
        "page": page,
        "bars": bars_of(page.episodes),
    }


def search_of(episode: Episode) -> str:
    """What finds the base events of an episode among all events: its group, columns by name, other fields by value."""
    terms = [
        f"{name}:{query_value(value)}" if name in HEADER else query_value(value)
        for name, value in episode.group.items()
        if value
    ]
    return " ".join(terms)


def bars_of(episodes: Sequence[Episode]) -> list[tuple[float, float, str]]:
    """The episodes on a line 1,000 wide: where each begins, how long it is, and its finding id."""
    if not episodes:
        return []
    begin, end = min(one.start for one in episodes), max(one.last for one in episodes)
    scale = (BAR_LINE - BAR_LEAST) / max(1, end - begin)
    return [
        (
            round((one.start - begin) * scale, 1),
            max(BAR_LEAST, round((one.last - one.start) * scale, 1)),
            one.finding_id,
        )
        for one in episodes
    ]
