"""The alert list: counters, histogram, filter bar, rows; the whole page, or the parts that a filter changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from soc_api.access import services_of
from soc_api.console.console import Console, Viewer, link
from soc_api.console.realm_choice import ALL, realm_of, realms_in, stated
from soc_api.console.span import Buckets, Span, buckets_of, read_span
from soc_api.rights import needs
from soc_api.services import AlertStore
from soc_api.v1.parameters import Stated
from soc_model.alert import AlertState
from soc_model.layer import Layer, Level, Realm
from soc_model.right import Right
from soc_model.scope import Scope
from soc_model.session import Session
from soc_store.state import AlertCounts, AlertFilter, Sort

router = APIRouter(prefix="/alerts", include_in_schema=False)

ROWS = 50
RANGE = "7d"
STATES: dict[str, tuple[AlertState, ...]] = {
    "open": (AlertState.NEW, AlertState.ACKNOWLEDGED),
    "new": (AlertState.NEW,),
    "acknowledged": (AlertState.ACKNOWLEDGED,),
    "closed": (AlertState.CLOSED,),
    "all": (),
}


class AlertFields(BaseModel):
    """The fields of the filter bar as they stand in the URL; what is unknown there is not looked at."""

    text: Annotated[str, Field(max_length=200)] = ""
    level: Annotated[tuple[Level, ...], Stated] = ()
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    state: str = "open"
    realm: str = ""
    range: str = RANGE
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    rule: Annotated[str, Field(max_length=200)] = ""
    entity: Annotated[str, Field(max_length=1000)] = ""
    sort: Sort = "last_seen"
    cursor: Annotated[str, Field(max_length=1000)] = ""


Fields = Annotated[AlertFields, Query()]
Reader = Annotated[Session, needs(Right.ALERTS_READ)]


@dataclass(frozen=True, slots=True)
class AlertView:
    """A filter with its time and realm made definite."""

    fields: AlertFields
    span: Span
    realm: str

    @property
    def filter(self) -> AlertFilter:
        """The same for the store."""
        fields = self.fields
        return AlertFilter(
            states=STATES.get(fields.state, STATES["open"]),
            levels=fields.level,
            layers=fields.layer,
            realms=realms_in(self.realm),
            rule_id=fields.rule,
            entity=fields.entity,
            text=fields.text,
            since=self.span.since,
            until=self.span.until,
        )

    def url(self, **changes: Any) -> str:
        """The list's address with these changes: shareable, without what is the default, relative ranges kept."""
        kept = {**self.fields.model_dump(exclude_defaults=True, mode="json"), **changes}
        return link(
            "/alerts", **{name: value for name, value in kept.items() if name != "cursor" or "cursor" in changes}
        )


def read_view(request: Request, fields: AlertFields) -> AlertView:
    """The view that the URL describes. Raises Problem for what is not a time."""
    realm = realm_of(request, fields.realm)
    now, zone = services_of(request).now(), Viewer.of(request).zone
    span = read_span(fields.range, fields.since, fields.until, now=now, zone=zone, default=RANGE)
    return AlertView(fields.model_copy(update={"range": span.name, "realm": stated(request, realm)}), span, realm)


@router.get("")
def alerts_page(request: Request, session: Reader, fields: Fields) -> Response:
    """The page; to htmx only what a change of filter changes, with the view's address for the history."""
    view = read_view(request, fields)
    part = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    console: Console = request.app.state.console
    return console.page(
        request,
        "alerts_part.html" if part else "alerts.html",
        session,
        headers={"HX-Replace-Url": view.url()} if part else {},
        view=view,
        **_list(request, session.scope, view),
        **_head(request, session.scope, view),
    )


@router.get("/rows")
def alert_rows(request: Request, session: Reader, fields: Fields) -> Response:
    """The next rows of the table."""
    view = read_view(request, fields)
    console: Console = request.app.state.console
    return console.page(request, "alerts_rows.html", session, view=view, **_list(request, session.scope, view))


def _list(request: Request, scope: Scope, view: AlertView) -> dict[str, Any]:
    page = services_of(request).state.alerts(scope, view.filter, view.fields.sort, ROWS, view.fields.cursor or None)
    return {"alerts": page.alerts, "cursor": page.cursor}


def _head(request: Request, scope: Scope, view: AlertView) -> dict[str, Any]:
    services = services_of(request)
    state, wanted = services.state, view.filter
    buckets = buckets_of(view.span, services.now())
    # Each facet counts what choosing another of its values would give.
    return {
        "counts": state.counts(scope, msgspec.structs.replace(wanted, levels=())),
        "by_state": state.counts(scope, msgspec.structs.replace(wanted, states=())).by_state,
        "elsewhere": _elsewhere(state, scope, view),
        "histogram": _histogram(state, scope, wanted, buckets),
    }


def _elsewhere(state: AlertStore, scope: Scope, view: AlertView) -> dict[Realm, int]:
    """How many alerts the same filter has in realms that are not shown, so that nothing is hidden silently."""
    if view.realm == ALL:
        return {}
    counts: AlertCounts = state.counts(scope, msgspec.structs.replace(view.filter, realms=()))
    return {Realm(realm): count for realm, count in counts.by_realm.items() if count and realm != view.realm}


def _histogram(state: AlertStore, scope: Scope, wanted: AlertFilter, buckets: Buckets) -> dict[str, Any]:
    """Counts by level and bucket, gravest first, as the chart script wants them; times in ms."""
    found = state.histogram(scope, wanted, buckets.since, buckets.until, buckets.steps)
    levels: Sequence[Level] = tuple(reversed(Level))
    return {
        "since": buckets.since // 1000,
        "step": buckets.step_us // 1000,
        "starts": [start // 1000 for start, _ in found],
        "series": {level.value: [by_level.get(level, 0) for _, by_level in found] for level in levels},
    }
