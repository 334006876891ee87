"""The query child: one search at a time over the archive, in a process of its own that can be killed.

Exec'ed by the serve process as ``python -m soc_center.query_child DATA``. One JSON request a line on standard input,
one JSON reply a line on standard output, with the request's id. It never writes to the data directory.
"""

import resource
import sys
from pathlib import Path
from typing import Any

import msgspec

from soc_center.limits import die_with_parent, end_after
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.search import EventPage, EventQuery, FindingPage, FindingQuery, search_events, search_findings

ADDRESS_SPACE = 4 << 30  # DuckDB itself is held to 1 GiB; this stops everything else
SEARCH_S = 10.0  # after which the asker gives up; a child that computes for twice as long has lost its asker
REPLY_BYTES = 32 << 20


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One search, for events or for findings, always within a scope. ``id`` comes back in the reply."""

    id: int = 0
    scope: Scope
    events: EventQuery | None = None
    findings: FindingQuery | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a search was refused: ``place`` in the query and what is wrong there."""

    place: str
    what: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The page that was found, as JSON-ready data, or why not; ``id`` is the request's."""

    id: int
    page: Any = None
    failure: Failure | None = None


def answer(data: Path, request: Request) -> bytes:
    """The reply to one request, as JSON; a bad query is a failure, never the end of the child.

    A page that would be over ``REPLY_BYTES`` is asked for again with fewer rows: nothing of a row is cut off, and its
    cursor goes on behind the last one.
    """
    try:
        while True:
            page = _page(data, request)
            encoded = msgspec.json.encode(Reply(id=request.id, page=page))
            rows = len(page.rows if isinstance(page, EventPage) else page.findings)
            if len(encoded) <= REPLY_BYTES or rows <= 1:
                return encoded
            request = _limited(request, max(1, rows * REPLY_BYTES // (2 * len(encoded))))
    except Problem as problem:
        return msgspec.json.encode(Reply(id=request.id, failure=Failure(place=problem.place, what=problem.what)))


def _page(data: Path, request: Request) -> EventPage | FindingPage:
    if request.events is not None:
        return search_events(data, request.scope, request.events)
    if request.findings is not None:
        return search_findings(data, request.scope, request.findings)
    raise Problem("request", "asks for nothing")


def _limited(request: Request, limit: int) -> Request:
    events, findings = request.events, request.findings
    return msgspec.structs.replace(
        request,
        events=events and msgspec.structs.replace(events, limit=limit),
        findings=findings and msgspec.structs.replace(findings, limit=limit),
    )


def main() -> None:
    """Answer until standard input ends."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    data = Path(sys.argv[1])
    for line in sys.stdin.buffer:
        end_after(2 * SEARCH_S)
        reply = answer(data, msgspec.json.decode(line, type=Request))
        end_after(0)
        sys.stdout.buffer.write(reply + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
