"""The query child: one search at a time over the archive, in a process of its own that can be killed.

Exec'ed by the serve process as ``python -m soc_center.query_child DATA``. One JSON request a line on standard input,
one JSON reply a line on standard output. It never writes to the data directory.
"""

import resource
import sys
from pathlib import Path
from typing import Any

import msgspec

from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.search import EventQuery, FindingQuery, search_events, search_findings

ADDRESS_SPACE = 4 << 30  # DuckDB itself is held to 1 GiB; this stops everything else


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One search, for events or for findings, always within a scope."""

    scope: Scope
    events: EventQuery | None = None
    findings: FindingQuery | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a search was refused: ``place`` in the query and what is wrong there."""

    place: str
    what: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The page that was found, as JSON-ready data, or why not."""

    page: Any = None
    failure: Failure | None = None


def answer(data: Path, request: Request) -> Reply:
    """The reply to one request; a bad query is a failure, never the end of the child."""
    try:
        if request.events is not None:
            return Reply(page=search_events(data, request.scope, request.events))
        if request.findings is not None:
            return Reply(page=search_findings(data, request.scope, request.findings))
    except Problem as problem:
        return Reply(failure=Failure(place=problem.place, what=problem.what))
    return Reply(failure=Failure(place="request", what="asks for nothing"))


def main() -> None:
    """Answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    data = Path(sys.argv[1])
    for line in sys.stdin.buffer:
        reply = answer(data, msgspec.json.decode(line, type=Request))
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
