"""Alerts: found by filter, read one by one, worked on; and the findings behind one."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_api.timepoint import parse_timepoint
from soc_api.v1.parameters import PageParameters, ShortText, Stated, TimeText
from soc_model.alert import Alert, AlertState
from soc_model.layer import Layer, Level, Realm
from soc_model.right import Right
from soc_model.scope import Scope
from soc_model.session import Session
from soc_store.search import FindingPage, FindingQuery
from soc_store.state import AlertCounts, AlertFilter, AlertPage, EpisodePage, EpisodeQuery, Sort

router = APIRouter(prefix="/alerts", tags=["alerts"])
Reader = Annotated[Session, needs(Right.ALERTS_READ)]
Worker = Annotated[Session, needs(Right.ALERTS_WORK)]


class AlertParameters(PageParameters):
    """The filters of the alert list; values of a repeated one are alternatives."""

    state: Annotated[tuple[AlertState, ...], Stated] = ()
    level: Annotated[tuple[Level, ...], Stated] = ()
    min_level: Level | None = None
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    realm: Annotated[tuple[Realm, ...], Stated] = ()
    unit: Annotated[tuple[ShortText, ...], Stated] = ()
    rule: Annotated[ShortText, Field(description="a rule's id")] = ""
    entity: Annotated[str, Field(max_length=1000, description="exact value of any entity")] = ""
    text: Annotated[ShortText, Field(description="part of a title")] = ""
    since: TimeText = ""
    until: TimeText = ""
    sort: Sort = "last_seen"

    def filter(self, now: int) -> AlertFilter:
        """The same for the store; raises Problem for what is not a time."""
        return AlertFilter(
            states=self.state,
            min_level=self.min_level,
            levels=self.level,
            layers=self.layer,
            realms=self.realm,
            units=self.unit,
            rule_id=self.rule,
            entity=self.entity,
            text=self.text,
            since=parse_timepoint(self.since, "since", now),
            until=parse_timepoint(self.until, "until", now),
        )


class StateChange(BaseModel):
    """Where the alert shall stand."""

    model_config = ConfigDict(extra="forbid")

    state: AlertState


@router.get("", responses=answers(AlertPage, 400, 422))
def list_alerts(request: Request, session: Reader, parameters: Annotated[AlertParameters, Query()]) -> Response:
    """A page of alerts, the latest (or gravest, or most frequent) first."""
    services = services_of(request)
    wanted = parameters.filter(services.now())
    page = services.state.alerts(session.scope, wanted, parameters.sort, parameters.limit, parameters.cursor or None)
    return json_answer(page)


@router.get("/counts", responses=answers(AlertCounts, 400, 422))
def count_alerts(request: Request, session: Reader, parameters: Annotated[AlertParameters, Query()]) -> Response:
    """How many alerts there are under a filter, by level, layer, state and realm."""
    services = services_of(request)
    return json_answer(services.state.counts(session.scope, parameters.filter(services.now())))


@router.get("/{alert_id}", responses=answers(Alert, 404, 422))
def read_alert(request: Request, session: Reader, alert_id: int) -> Response:
    """One alert."""
    return json_answer(find_alert(request, session.scope, alert_id))


@router.get("/{alert_id}/findings", responses=answers(FindingPage, 400, 404, 422))
async def list_findings(
    request: Request, session: Reader, alert_id: int, parameters: Annotated[PageParameters, Query()]
) -> Response:
    """The findings an alert is made of; of a correlation one for each episode."""
    alert = await run_in_threadpool(find_alert, request, session.scope, alert_id)
    if await run_in_threadpool(is_correlation, request, session.scope, alert):
        page = await run_in_threadpool(
            find_episodes, request, session.scope, alert, parameters.limit, parameters.cursor
        )
        findings = [one.finding() for one in page.episodes]
        return json_answer(FindingPage(findings=findings, cursor=page.cursor))
    query = findings_of(alert, parameters.limit, parameters.cursor)
    return json_answer(await services_of(request).search_findings(session.scope, query))


@router.get("/{alert_id}/episodes", responses=answers(EpisodePage, 400, 404, 422))
def list_episodes(
    request: Request, session: Reader, alert_id: int, parameters: Annotated[PageParameters, Query()]
) -> Response:
    """The episodes of an alert of a correlation: what was counted, when, and samples of its base events."""
    alert = find_alert(request, session.scope, alert_id)
    return json_answer(find_episodes(request, session.scope, alert, parameters.limit, parameters.cursor))


@router.post("/{alert_id}/state", responses=answers(Alert, 404, 422))
def change_state(request: Request, session: Worker, alert_id: int, change: StateChange) -> Response:
    """Acknowledge, close or reopen an alert; answers with the alert as it is then."""
    return json_answer(set_alert_state(request, session, alert_id, change.state))


def find_alert(request: Request, scope: Scope, alert_id: int) -> Alert:
    """The alert if the scope sees it; raises 404 otherwise, as for one that is not there."""
    found = services_of(request).state.alert(scope, alert_id)
    if found is None:
        raise HTTPException(404, "no such alert")
    return found


def set_alert_state(request: Request, session: Session, alert_id: int, state: AlertState) -> Alert:
    """The alert after the change; raises 404 when the session does not see it."""
    services = services_of(request)
    changed = services.state.set_state(session.scope, alert_id, state, session.person, services.now())
    if changed is None:
        raise HTTPException(404, "no such alert")
    return changed


def find_episodes(request: Request, scope: Scope, alert: Alert, limit: int, cursor: str = "") -> EpisodePage:
    """A page of the episodes of an alert; none when its rule is no correlation."""
    wanted = EpisodeQuery(
        key=alert.key, since=alert.first_seen, until=alert.last_seen, limit=limit, cursor=cursor or None
    )
    return services_of(request).state.episodes(scope, wanted)


def is_correlation(request: Request, scope: Scope, alert: Alert) -> bool:
    """Whether the alert is made of episodes."""
    return bool(find_episodes(request, scope, alert, 1).episodes)


def findings_of(alert: Alert, limit: int, cursor: str) -> FindingQuery:
    """What asks for the findings of an alert."""
    return FindingQuery(
        key=alert.key,
        first_offset=alert.first_offset,
        last_offset=alert.last_offset,
        limit=limit,
        cursor=cursor or None,
    )
