"""The live stream: what is committed arrives, once, in the reader's scope, and goes on where it was broken off."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from soc_api.v1.stream import FAR_BEHIND, resume_after
from soc_model.layer import Realm
from soc_model.right import Role
from tests.api.world import HOUR_US, World, a_card

Event = dict[str, Any]


async def read_stream(
    app: FastAPI, token: str, count: int, meanwhile: Callable[[], None] = lambda: None, last: str | None = None
) -> list[Event]:
    """The first ``count`` events; ``meanwhile`` runs once the first one is there. The reader then goes away."""
    blocks: asyncio.Queue[bytes] = asyncio.Queue()
    gone = asyncio.Event()
    headers = [(b"host", b"127.0.0.1"), (b"cookie", f"fengsui={token}".encode())]
    headers += [(b"last-event-id", last.encode())] if last is not None else []

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            blocks.put_nowait(message.get("body", b""))

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/api/v1/stream", "raw_path": b"/api/v1/stream", "query_string": b"", "root_path": "",
        "headers": headers, "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    running = asyncio.create_task(app(scope, receive, send))
    found: list[Event] = []
    while len(found) < count:
        block = await asyncio.wait_for(blocks.get(), 10)
        found += [_event(part) for part in block.decode().split("\n\n") if part.strip() and not part.startswith(":")]
        if len(found) == 1 and count > 1:
            meanwhile()
    gone.set()
    await asyncio.wait_for(running, 10)
    return found


def _event(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.splitlines())
    return {"event": fields["event"], "id": int(fields["id"]), **json.loads(fields["data"])}


def test_new_alerts_arrive_as_they_are_committed(app: FastAPI, world: World) -> None:
    token = world.session(Role.ANALYST)
    first, alert = asyncio.run(read_stream(app, token, 2, lambda: world.raise_alert(rule=a_card(title="seen"))))[:2]
    assert first["event"] == "ready"
    assert (alert["event"], alert["title"], alert["realm"]) == ("alert.new", "seen", "live")
    assert alert["id"] > first["id"] or alert["id"] == 1


def test_a_reader_that_comes_back_misses_nothing(app: FastAPI, world: World) -> None:
    token = world.session(Role.ANALYST)
    world.raise_alert()
    seen = world.state.outbox_last()
    for title in ("while", "away"):
        world.raise_alert(rule=a_card(title=title))
    events = asyncio.run(read_stream(app, token, 3, last=str(seen)))
    assert [event.get("title") for event in events] == [None, "while", "away"]


def test_only_what_the_session_may_see_arrives(app: FastAPI, world: World) -> None:
    token = world.session(Role.ANALYST, units=frozenset({"water"}))

    def three() -> None:
        world.raise_alert(unit="transport", realm=Realm.DRILL)
        world.raise_alert(unit="bureau-data")
        world.raise_alert(unit="water")

    events = asyncio.run(read_stream(app, token, 2, three))
    assert [event.get("unit") for event in events] == [None, "water"]


def test_the_stream_ends_with_the_session(app: FastAPI, world: World) -> None:
    token = world.session(Role.ANALYST)

    def expire() -> None:
        world.now_us += 13 * HOUR_US
        world.raise_alert()

    with pytest.raises(TimeoutError):  # nothing more comes, not even what is committed now
        asyncio.run(asyncio.wait_for(read_stream(app, token, 2, expire), 1.5))


@pytest.mark.parametrize(
    ("header", "last", "expected"),
    [
        ("", 7, (7, "ready")),
        ("x", 7, (7, "ready")),
        ("٣", 7, (7, "ready")),
        ("3", 7, (3, "ready")),
        ("7", 7, (7, "ready")),
        ("8", 7, (7, "reset")),
        ("0", FAR_BEHIND + 1, (FAR_BEHIND + 1, "reset")),
    ],
)
def test_where_a_reader_goes_on(header: str, last: int, expected: tuple[int, str]) -> None:
    assert resume_after(header, last) == expected
