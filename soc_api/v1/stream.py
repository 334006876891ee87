"""The live stream: every committed change of an alert in the reader's scope, as server-sent events.

The id of an event is its outbox number, so a reader that comes back with ``Last-Event-ID`` misses nothing. A reader too
far behind gets ``reset`` and reads the list again. The stream ends with the session.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from soc_api.access import services_of, still_valid
from soc_api.answers import problem_answers
from soc_api.rights import needs
from soc_model.alert import OutboxItem
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/stream", tags=["stream"])

BATCH = 200
FAR_BEHIND = 2000
POLL_S = 5.0
RETRY_MS = 2000


@router.get("", response_class=EventSourceResponse, responses=problem_answers(422))
async def follow(
    request: Request,
    session: Annotated[Session, needs(Right.ALERTS_READ)],
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> AsyncIterator[ServerSentEvent]:
    """``alert.new`` and ``alert.updated`` as they are committed, after ``ready`` or ``reset``."""
    services = services_of(request)
    last = await run_in_threadpool(services.state.outbox_last)
    after, kind = resume_after(last_event_id, last)
    yield ServerSentEvent(event=kind, id=str(after), data={"last": last}, retry=RETRY_MS)
    while True:
        # Asked for before the read, so that a commit in between wakes us at once.
        bell = asyncio.ensure_future(services.wait_for_outbox())
        try:
            items = await run_in_threadpool(services.state.outbox, session.scope, after, BATCH)
            # Asked after the read: nothing that was committed after the session's end is ever sent.
            if not await run_in_threadpool(still_valid, request):
                return
            for item in items:
                after = item.seq
                yield as_event(item)
            if not items:
                await asyncio.wait([bell], timeout=POLL_S)
        finally:
            bell.cancel()


def resume_after(last_event_id: str, last: int) -> tuple[int, str]:
    """The number after which to go on, and whether the reader is ``ready`` or must ``reset`` what it shows.

    Reset: too far behind, or ahead of everything (a number of another data directory).
    """
    if not (last_event_id.isascii() and last_event_id.isdigit()):
        return last, "ready"
    seen = int(last_event_id)
    return (seen, "ready") if last - FAR_BEHIND <= seen <= last else (last, "reset")


def as_event(item: OutboxItem) -> ServerSentEvent:
    """One outbox row on the wire."""
    data = {**item.body, "at": item.at, "unit": item.unit, "realm": item.realm.value}
    return ServerSentEvent(event=item.kind, id=str(item.seq), data=data)
