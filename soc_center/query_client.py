"""Searches as the serve process asks for them: one at a time, ten seconds each, in a child stopped when idle."""

import asyncio
import contextlib
import itertools
import os
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from soc_center.query_child import SEARCH_S, Reply, Request
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.search import EventPage, EventQuery, FindingPage, FindingQuery

IDLE_S = 60.0
LINE_BYTES = 64 << 20  # twice what the child makes of many rows; one row is never larger
Page = TypeVar("Page", EventPage, FindingPage)


class SearchProblem(Problem):
    """A search that cannot be answered: a bad query, or one that took too long."""


class QueryClient:
    """The one query child of a serve process."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._child: asyncio.subprocess.Process | None = None
        self._ids = itertools.count(1)
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def search_events(self, scope: Scope, query: EventQuery) -> EventPage:
        """A page of events; raises SearchProblem."""
        return await self._ask(Request(id=next(self._ids), scope=scope, events=query), EventPage)

    async def search_findings(self, scope: Scope, query: FindingQuery) -> FindingPage:
        """A page of findings of one alert; raises SearchProblem."""
        return await self._ask(Request(id=next(self._ids), scope=scope, findings=query), FindingPage)

    async def close(self) -> None:
        """End the child."""
        async with self._turn:
            await self._stop()

    async def _ask(self, request: Request, kind: type[Page]) -> Page:
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                reply = await asyncio.wait_for(self._exchange(request), SEARCH_S)
            except BaseException as error:
                # The reply that may still come must not meet the next one who asks, who may see less.
                await self._stop()
                if isinstance(error, Exception):
                    raise SearchProblem("query", f"the search {_why(error)}") from error
                raise
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end_idle)
        if reply.failure is not None:
            raise SearchProblem(reply.failure.place, reply.failure.what)
        return msgspec.convert(reply.page, kind)

    async def _exchange(self, request: Request) -> Reply:
        """The reply to exactly this request; ``ValueError`` when the line is too long or answers another."""
        child = await self._running()
        if child.stdin is None or child.stdout is None:
            raise ConnectionError("the query child has no pipes")
        child.stdin.write(msgspec.json.encode(request) + b"\n")
        await child.stdin.drain()
        reply = msgspec.json.decode(await child.stdout.readline(), type=Reply)
        if reply.id != request.id:
            raise ValueError(f"the reply to search {reply.id} came for {request.id}")
        return reply

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "soc_center.query_child",
                str(self._data),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        return self._child

    def _end_idle(self) -> None:
        if not self._turn.locked() and self._child is not None and self._child.returncode is None:
            self._child.kill()

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.communicate()  # read to the end: a pipe that is full would never be closed


def _why(error: Exception) -> str:
    return f"took longer than {SEARCH_S:.0f} s; narrow the time" if isinstance(error, TimeoutError) else "failed"
