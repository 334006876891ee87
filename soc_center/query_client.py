"""Searches as the serve process asks for them: one at a time, ten seconds each, in a child stopped when idle."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from soc_center.query_child import Reply, Request
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.search import EventPage, EventQuery, FindingPage, FindingQuery

SEARCH_S = 10.0
IDLE_S = 60.0
LINE_BYTES = 64 << 20


class SearchProblem(Problem):
    """A search that cannot be answered: a bad query, or one that took too long."""


class QueryClient:
    """The one query child of a serve process."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def search_events(self, scope: Scope, query: EventQuery) -> EventPage:
        """A page of events; raises SearchProblem."""
        return msgspec.convert(await self._ask(Request(scope=scope, events=query)), EventPage)

    async def search_findings(self, scope: Scope, query: FindingQuery) -> FindingPage:
        """A page of findings of one alert; raises SearchProblem."""
        return msgspec.convert(await self._ask(Request(scope=scope, findings=query)), FindingPage)

    async def close(self) -> None:
        """End the child."""
        async with self._turn:
            await self._stop()

    async def _ask(self, request: Request) -> Any:
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                line = await asyncio.wait_for(self._exchange(msgspec.json.encode(request)), SEARCH_S)
                reply = msgspec.json.decode(line, type=Reply)
            except (TimeoutError, msgspec.DecodeError, ConnectionError) as error:
                await self._stop()
                why = (
                    f"took longer than {SEARCH_S:.0f} s; narrow the time"
                    if isinstance(error, TimeoutError)
                    else "failed"
                )
                raise SearchProblem("query", f"the search {why}") from error
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end_idle)
        if reply.failure is not None:
            raise SearchProblem(reply.failure.place, reply.failure.what)
        return reply.page

    async def _exchange(self, line: bytes) -> bytes:
        child = await self._running()
        if child.stdin is None or child.stdout is None:
            raise ConnectionError("the query child has no pipes")
        child.stdin.write(line + b"\n")
        await child.stdin.drain()
        return await child.stdout.readline()

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
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()
        self._child = None
