"""A backtest from the console and the API: queued in the asker's scope, shown while it runs and when it is done."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from soc_model.job import JobState
from soc_model.right import Role
from tests.api.test_console_pages import Elements
from tests.api.world import HOSTILE, World

SignIn = Callable[..., TestClient]
RULE = "title: x\nlogsource: {product: y}\n"
RESULT: dict[str, Any] = {
    "since": 1_790_000_000_000_000,
    "until": 1_790_003_600_000_000,
    "events": 1200,
    "unparsed": 0,
    "unreadable": 3,
    "cpu_us_per_event": 1.25,
    "seconds": 2.5,
    "rules": [
        {
            "rule_id": HOSTILE,
            "title": HOSTILE,
            "hits": 3,
            "by_day": {"2026-09-21": 2, "2026-09-22": 1},
            "by_source": {HOSTILE: 3},
            "samples": [{"event_id": "e1", "at": 1_790_000_000_000_000, "source_id": HOSTILE, "matched": {}}],
        }
    ],
}


def done(world: World, result: dict[str, Any], error: str = "") -> int:
    """A backtest that has ended."""
    jobs = world.state.jobs
    made = jobs.enqueue("test_rule", {"last_s": 3600, "rule": RULE}, "somebody", world.now_us)
    held = jobs.lease("w", world.now_us, world.now_us + 1)
    assert held is not None
    state = JobState.FAILED if error else JobState.DONE
    jobs.finish(made.id, "w", state, world.now_us, error=error, result=result)
    return made.id


def test_it_is_queued_in_the_scope_of_the_asker(world: World, signed_in: SignIn) -> None:
    asker = signed_in(Role.ANALYST, units=frozenset({"water"}))
    answer = asker.post("/api/v1/rules/test", json={"rule": RULE, "last_s": 3600})
    assert (answer.status_code, answer.json()["kind"]) == (200, "test_rule")
    assert answer.json()["params"] == {"last_s": 3600, "rule": RULE, "units": ["water"]}


@pytest.mark.parametrize(
    "wrong",
    [{"rule": RULE, "last_s": 1}, {"rule": "x" * 20_000, "last_s": 60}, {"rule": RULE, "path": "/", "last_s": 60}],
)
def test_no_path_no_flood_no_instant(world: World, signed_in: SignIn, wrong: dict[str, Any]) -> None:
    assert signed_in(Role.ANALYST).post("/api/v1/rules/test", json=wrong).status_code == 422


def test_the_form_leads_to_the_result(world: World, signed_in: SignIn) -> None:
    client = signed_in(Role.ANALYST)
    assert 'name="rule"' in client.get("/rules/test").text
    asked = client.post("/rules/test", data={"rule": RULE, "last_s": "3600"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/rules/test/1")
    assert 'hx-trigger="every 2s"' in client.get("/rules/test/1").text


def test_hits_by_day_samples_and_cost_are_shown_as_text(world: World, signed_in: SignIn) -> None:
    html = signed_in(Role.ANALYST).get(f"/rules/test/{done(world, RESULT)}").text
    assert '<meter min="0" max="2" value="1">' in html
    assert 'href="/events/e1"' in html
    assert "1.25" in html
    assert not any("style" in attributes for _, attributes in Elements(html).found)
    assert "\u202e" not in html


def test_why_it_failed_is_told(world: World, signed_in: SignIn) -> None:
    html = signed_in(Role.ANALYST).get(f"/rules/test/{done(world, {}, error='rule:3: no condition')}").text
    assert "rule:3: no condition" in html
    assert signed_in(Role.ANALYST).get("/rules/test/99").status_code == 404
