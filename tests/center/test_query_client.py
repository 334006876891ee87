"""Searches through the query child: one scope never sees what another asked for, and no reply is too large."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from soc_center import query_client
from soc_center.query_child import REPLY_BYTES, Request
from soc_center.query_client import QueryClient, SearchProblem
from soc_center.system import SYSTEM
from soc_model.layer import Realm
from soc_model.outcome import Outcome, RowBlock
from soc_model.scope import Scope
from soc_store.outcome_log import OutcomeLog, encode_outcome
from soc_store.search import EventQuery
from tests.running import alive, wait_for

ROWS = 80
ROW_CHARS = 1_000_000


def events(offset: int, unit: str, rows: int, raw: str) -> Outcome:
    shared = {"layer": "host", "realm": "live", "received": 1, "unit": unit, "source_id": "s", "offset": offset}
    columns = {"event_id": [f"{offset}-{i}" for i in range(rows)], "@timestamp": [offset] * rows, "raw": [raw] * rows}
    block = RowBlock(rows=rows, constants={**shared, "chunk": 0, "byte": 0}, columns=columns)
    return Outcome(offset=offset, received=1, snapshot="x", findings=[], cards={}, stats=[], blocks=[block])


def filled(tmp_path: Path, *outcomes: Outcome) -> Path:
    log = OutcomeLog.open(tmp_path / "outcomes")
    log.append([encode_outcome(outcome) for outcome in outcomes])
    log.close()
    return tmp_path


def asked(data: Path, ask: Callable[[QueryClient], Awaitable[None]]) -> None:
    async def run() -> None:
        client = QueryClient(data)
        try:
            await ask(client)
        finally:
            await client.close()

    asyncio.run(run())


def sees(unit: str) -> Scope:
    return Scope(units=frozenset({unit}), realms=frozenset(Realm))


def test_a_cancelled_search_leaves_nothing_to_the_next_one(tmp_path: Path) -> None:
    async def ask(client: QueryClient) -> None:
        await client.search_events(sees("A"), EventQuery(limit=1))
        assert client._child is not None
        child = client._child.pid
        os.kill(child, signal.SIGSTOP)
        first = asyncio.create_task(client.search_events(sees("A"), EventQuery(limit=3)))
        await asyncio.sleep(0.05)  # the question is in the pipe, the answer is yet to come
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)
        page = await client.search_events(sees("B"), EventQuery(limit=3))
        assert [row["unit"] for row in page.rows] == ["B"]

    asked(filled(tmp_path, events(1, "A", 1, "secret of A"), events(2, "B", 1, "of B")), ask)


def test_a_reply_to_another_search_is_refused(tmp_path: Path) -> None:
    async def ask(client: QueryClient) -> None:
        await client.search_events(sees("B"), EventQuery())
        child = client._child
        assert child is not None
        assert child.stdin is not None
        child.stdin.write(b'{"id": 0, "scope": {"units": ["A"], "realms": ["live"]}, "events": {}}\n')
        with pytest.raises(SearchProblem, match="the search failed"):
            await client.search_events(sees("B"), EventQuery())
        page = await client.search_events(sees("B"), EventQuery())
        assert [row["unit"] for row in page.rows] == ["B"]

    asked(filled(tmp_path, events(1, "A", 1, "of A"), events(2, "B", 1, "of B")), ask)


@pytest.mark.timeout(120)
def test_a_page_of_long_rows_is_shorter_and_nothing_is_cut(tmp_path: Path) -> None:
    async def ask(client: QueryClient) -> None:
        found: list[str] = []
        cursor = None
        while cursor is not None or not found:
            page = await client.search_events(SYSTEM, EventQuery(limit=ROWS, cursor=cursor))
            assert 0 < len(page.rows) * ROW_CHARS <= REPLY_BYTES
            assert {len(row["raw"]) for row in page.rows} == {ROW_CHARS}
            found += [row["event_id"] for row in page.rows]
            cursor = page.cursor
        assert sorted(found) == sorted(f"1-{i}" for i in range(ROWS))

    asked(filled(tmp_path, events(1, "big", ROWS, "x" * ROW_CHARS)), ask)


def test_a_reply_that_is_too_long_for_the_pipe_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_client, "LINE_BYTES", 10_000)

    async def ask(client: QueryClient) -> None:
        with pytest.raises(SearchProblem, match="the search failed"):
            await client.search_events(SYSTEM, EventQuery(limit=1))
        page = await client.search_events(SYSTEM, EventQuery(text="nothing"))
        assert page.rows == []

    asked(filled(tmp_path, events(1, "big", 1, "x" * ROW_CHARS)), ask)


CHILD = [sys.executable, "-c"]
SLOW = """
import sys, time
from soc_center import query_child
query_child.SEARCH_S = float(sys.argv[2])
query_child.search_events = lambda *_: (print(flush=True), time.sleep(60))
query_child.main()
"""


def test_a_child_that_searches_too_long_ends_by_itself(tmp_path: Path) -> None:
    request = msgspec.json.encode(Request(scope=SYSTEM, events=EventQuery()))
    began = time.monotonic()
    child = subprocess.run([*CHILD, SLOW, tmp_path, "0.2"], input=request, capture_output=True, timeout=30, check=False)
    assert child.returncode == -signal.SIGALRM
    assert time.monotonic() - began < 20


PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([*{CHILD!r}, {SLOW!r}, sys.argv[1], "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(sys.argv[2].encode() + b"\\n")
child.stdin.flush()
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tied to its parent on Linux only")
def test_a_child_in_a_search_does_not_outlive_its_parent(tmp_path: Path) -> None:
    request = msgspec.json.encode(Request(scope=SYSTEM, events=EventQuery())).decode()
    command = [*CHILD, PARENT, str(tmp_path), request]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    try:
        wait_for(lambda: not alive(pid), 10, "the child gone")
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
