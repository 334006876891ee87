"""Event search: the archive and what is not sealed yet, by time, text, layer, source and realm; one event in full."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from soc_api.access import services_of
from soc_api.console.console import Console, Viewer, link
from soc_api.console.realm_choice import realm_of, realms_in, stated
from soc_api.console.span import Span, read_span
from soc_api.problems import Place
from soc_api.rights import needs
from soc_api.v1.parameters import Stated
from soc_model.event import COLUMNS
from soc_model.layer import Layer
from soc_model.problem import Problem
from soc_model.right import Right
from soc_model.session import Session
from soc_store.search import EventPage, EventQuery

router = APIRouter(prefix="/events", include_in_schema=False)

ROWS = 100
RANGE = "24h"
RAW = frozenset({"raw", "raw_binary"})
Reader = Annotated[Session, needs(Right.EVENTS_READ)]


class EventFields(BaseModel):
    """The fields of the search bar as they stand in the URL."""

    text: Annotated[str, Field(max_length=4000)] = ""
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    source: Annotated[str, Field(max_length=200)] = ""
    realm: str = ""
    range: str = RANGE
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    cursor: Annotated[str, Field(max_length=1000)] = ""

    def url(self, path: str = "/events", **changes: Any) -> str:
        """The search's address, without what is the default; the cursor only where it is stated."""
        kept = self.model_dump(exclude_defaults=True, exclude={"cursor"}, mode="json")
        return link(path, **{**kept, **changes})


Fields = Annotated[EventFields, Query()]


@router.get("")
async def events_page(request: Request, session: Reader, fields: Fields) -> Response:
    """The page; to htmx only the results. A mistake in the query is shown at its column, with the page around it."""
    part = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    return await _answer(request, session, fields, "events_part.html" if part else "events.html")


@router.get("/rows")
async def event_rows(request: Request, session: Reader, fields: Fields) -> Response:
    """The next rows of the table."""
    return await _answer(request, session, fields, "events_rows.html")


@router.get("/{event_id}")
async def event_page(
    request: Request, session: Reader, event_id: str, since: int | None = None, until: int | None = None
) -> Response:
    """One event in full; ``since`` and ``until`` (µs) only make it quicker to find."""
    query = EventQuery(event_ids=(event_id,), since=since, until=until, limit=1)
    page = await services_of(request).search_events(session.scope, query)
    part = bool(request.headers.get("hx-request"))
    console: Console = request.app.state.console
    if not page.rows:
        if part:
            return console.page(request, "event_gone.html", session)
        raise HTTPException(404, "no such event")
    return console.page(
        request, "event_part.html" if part else "event.html", session, event=page.rows[0], **_shown(page.rows[0])
    )


async def _answer(request: Request, session: Session, fields: EventFields, template: str) -> Response:
    services, console = services_of(request), request.app.state.console
    realm = realm_of(request, fields.realm)
    fields = fields.model_copy(update={"realm": stated(request, realm)})
    page, problem, span = EventPage(rows=[], cursor=None, scanned_rows=0), None, Span(RANGE, None, None)
    try:
        now, zone = services.now(), Viewer.of(request).zone
        span = read_span(fields.range, fields.since, fields.until, now=now, zone=zone, default=RANGE)
        fields = fields.model_copy(update={"range": span.name})
        page = await services.search_events(session.scope, _query(fields, span, realm))
    except Problem as error:
        problem = Place(place=error.place, what=error.what)
    response: Response = console.page(
        request,
        template,
        session,
        headers={"HX-Replace-Url": fields.url()} if template == "events_part.html" else {},
        fields=fields,
        realm=realm,
        span=span,
        page=page,
        problem=problem,
        column=_column(problem),
        sources=[source for source in services.source_settings() if session.scope.sees(source.unit, source.realm)],
    )
    return response


def _query(fields: EventFields, span: Span, realm: str) -> EventQuery:
    return EventQuery(
        text=fields.text,
        since=span.since,
        until=span.until,
        layers=fields.layer,
        realms=realms_in(realm),
        source_ids=(fields.source,) if fields.source else (),
        limit=ROWS,
        cursor=fields.cursor or None,
    )


def _column(problem: Place | None) -> int | None:
    """Where in the query text the mistake is, from 1, when the problem says so."""
    if problem is None:
        return None
    name, _, column = problem.place.partition(":")
    return int(column) if name == "query" and column.isdigit() else None


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    """The columns that say something, in the archive's order, and the raw record, also laid out where it is JSON."""
    raw = event.get("raw") or ""
    laid_out = ""
    if raw.lstrip()[:1] in ("{", "["):
        try:
            laid_out = msgspec.json.format(raw, indent=2)
        except msgspec.DecodeError:
            laid_out = ""
    columns = {name: event[name] for name in COLUMNS if name not in RAW and event.get(name) not in (None, "")}
    return {"columns": columns, "raw": raw, "laid_out": laid_out, "raw_binary": event.get("raw_binary")}
