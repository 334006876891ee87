"""Events: searched in the archive and in what is not sealed yet."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_api.timepoint import parse_timepoint
from soc_api.v1.parameters import PageParameters, ShortText, Stated, TimeText
from soc_model.layer import Layer, Realm
from soc_model.right import Right
from soc_model.session import Session
from soc_store.search import EventPage, EventQuery

router = APIRouter(prefix="/events", tags=["events"])
Reader = Annotated[Session, needs(Right.EVENTS_READ)]


class EventParameters(PageParameters):
    """A search: times are event times; ``text`` is the query language (words, ``field:value``, AND, OR, NOT)."""

    text: Annotated[str, Field(max_length=4000)] = ""
    since: TimeText = ""
    until: TimeText = ""
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    realm: Annotated[tuple[Realm, ...], Stated] = ()
    source: Annotated[tuple[ShortText, ...], Stated] = ()
    event_id: Annotated[tuple[ShortText, ...], Stated, Field(max_length=500)] = ()

    def query(self, now: int) -> EventQuery:
        """The same for the store; raises Problem for what is not a time."""
        return EventQuery(
            text=self.text,
            since=parse_timepoint(self.since, "since", now),
            until=parse_timepoint(self.until, "until", now),
            layers=self.layer,
            realms=self.realm,
            source_ids=self.source,
            event_ids=self.event_id,
            limit=self.limit,
            cursor=self.cursor or None,
        )


@router.get("", responses=answers(EventPage, 400, 422))
async def list_events(request: Request, session: Reader, parameters: Annotated[EventParameters, Query()]) -> Response:
    """A page of events, newest first; a bad query is refused with the column of the mistake."""
    services = services_of(request)
    return json_answer(await services.search_events(session.scope, parameters.query(services.now())))
