"""Alerts over the API: filters, pages, scope, state; and the contract that describes it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from soc_model.layer import Layer, Level, Realm
from soc_model.right import Role
from tests.api.world import HOUR_US, World, a_card, an_event, seed

SignIn = Callable[..., TestClient]


def titles(client: TestClient, query: str) -> set[str]:
    answer = client.get(f"/api/v1/alerts?{query}")
    assert answer.status_code == 200, answer.text
    return {alert["rule"]["title"] for alert in answer.json()["alerts"]}


@pytest.fixture
def three(world: World) -> World:
    """Three alerts that differ in everything that can be filtered."""
    world.raise_alert(rule=a_card(title="one", id="r1", level=Level.LOW), layer=Layer.HOST)
    world.now_us += HOUR_US
    world.raise_alert(rule=a_card(title="two", id="r2", level=Level.CRITICAL), layer=Layer.DATA, unit="water", count=9)
    world.now_us += HOUR_US
    entities = {"user.name": ["wang.lei", "li.na"]}
    world.raise_alert(rule=a_card(title="three", id="r3"), realm=Realm.DRILL, unit="transport", entities=entities)
    return world


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"one", "two", "three"}),
        ("level=low", {"one"}),
        ("level=low&level=critical", {"one", "two"}),
        ("min_level=high", {"two", "three"}),
        ("layer=data", {"two"}),
        ("realm=drill", {"three"}),
        ("unit=water", {"two"}),
        ("rule=r1", {"one"}),
        ("entity=li.na", {"three"}),
        ("text=TW", {"two"}),
        ("state=closed", set()),
        ("state=new&level=&layer=", {"one", "two", "three"}),
        ("since=-90m", {"two", "three"}),
        ("until=2025-11-23T10:30:00Z", {"one"}),
        ("since=2025-11-23T18:30:00%2B08:00&until=2025-11-23T11:30:00Z", {"two"}),
    ],
)
def test_filters(three: World, signed_in: SignIn, query: str, expected: set[str]) -> None:
    assert titles(signed_in(), query) == expected


@pytest.mark.parametrize(("sort", "first"), [("last_seen", "three"), ("level", "two"), ("count", "two")])
def test_sorting(three: World, signed_in: SignIn, sort: str, first: str) -> None:
    answer = signed_in().get(f"/api/v1/alerts?sort={sort}&limit=1").json()
    assert answer["alerts"][0]["rule"]["title"] == first


def test_pages_cover_everything_once(world: World, signed_in: SignIn) -> None:
    ids = seed(world, 23)
    client, seen, cursor = signed_in(), [], ""
    while cursor is not None:
        page = client.get("/api/v1/alerts", params={"limit": 5, "cursor": cursor}).json()
        seen += [alert["id"] for alert in page["alerts"]]
        cursor = page["cursor"]
    assert sorted(seen) == sorted(ids)


def test_a_reader_sees_only_their_units(three: World, signed_in: SignIn) -> None:
    client = signed_in(Role.ANALYST, units=frozenset({"water"}))
    assert titles(client, "") == {"two"}
    assert titles(client, "unit=bureau-data") == set()
    other = three.raise_alert(unit="bureau-data")
    for path in (f"/api/v1/alerts/{other}", f"/api/v1/alerts/{other}/findings", f"/alerts/{other}"):
        assert client.get(path).status_code == 404
    assert client.post(f"/api/v1/alerts/{other}/state", json={"state": "closed"}).status_code == 404
    assert client.get("/api/v1/alerts/counts").json()["total"] == 1


def test_an_alert_is_acknowledged_and_closed(world: World, signed_in: SignIn) -> None:
    client, alert = signed_in(), world.raise_alert()
    for state in ("acknowledged", "closed", "new"):
        answer = client.post(f"/api/v1/alerts/{alert}/state", json={"state": state})
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert client.get(f"/api/v1/alerts/{alert}").json()["state"] == state


def test_findings_belong_to_their_alert_and_page(world: World, signed_in: SignIn) -> None:
    first, second = seed(world, 2)
    client = signed_in()
    page = client.get(f"/api/v1/alerts/{first}/findings?limit=30").json()
    rest = client.get(f"/api/v1/alerts/{first}/findings", params={"cursor": page["cursor"]}).json()
    assert (len(page["findings"]), len(rest["findings"]), rest["cursor"]) == (30, 10, None)
    assert len(client.get(f"/api/v1/alerts/{second}/findings").json()["findings"]) == 3


@pytest.mark.parametrize(
    ("path", "status", "place"),
    [
        ("/api/v1/alerts?since=yesterday", 400, "since"),
        ("/api/v1/alerts?until=-3x", 400, "until"),
        ("/api/v1/alerts?level=grave", 422, "level.0"),
        ("/api/v1/alerts?lvel=high", 422, "lvel"),
        ("/api/v1/alerts?limit=501", 422, "limit"),
        ("/api/v1/alerts/one", 422, "alert_id"),
    ],
)
def test_bad_input_is_named_by_its_place(signed_in: SignIn, path: str, status: int, place: str) -> None:
    answer = signed_in().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert [error["place"] for error in answer.json()["errors"]] == [place]


def test_a_problem_does_not_echo_what_was_sent(signed_in: SignIn) -> None:
    answer = signed_in().get("/api/v1/alerts", params={"level": "<script>alert(1)</script>"})
    assert "script" not in answer.text


def test_the_contract_names_a_right_for_each_operation_and_resolves(signed_in: SignIn) -> None:
    client = signed_in(Role.AUDIT_ADMINISTRATOR)
    document = client.get("/api/openapi.json").json()
    assert document == client.get("/api/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert {operation["x-right"] for operation in operations} == {
        "alerts.read", "alerts.work", "events.read", "assets.read", "assets.work", "sources.read", "health.read",
        "jobs.read", "jobs.run", "rules.read", "rules.test", "rules.manage", "rules.reload",
        "indicators.read", "indicators.manage",
        "people.read", "people.manage", "roles.grant", "keys.manage",
        "audit.read",
    }  # fmt: skip
    assert "x-parts" not in json.dumps(document)
    assert set(_references(document)) <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in _references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for each in node.values() for found in _references(each)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", 3), ("text=needle", 1), ("layer=network", 1), ("realm=drill", 0), ("source=fw-core", 1), ("since=-30m", 1)],
)
def test_events_are_searched(world: World, signed_in: SignIn, query: str, expected: int) -> None:
    world.events = [
        an_event(1, world.now_us - 60, raw="a needle here"),
        an_event(2, world.now_us - HOUR_US, layer="network"),
        an_event(3, world.now_us - HOUR_US, source_id="fw-core"),
    ]
    answer = signed_in().get(f"/api/v1/events?{query}")
    assert len(answer.json()["rows"]) == expected


def test_a_bad_query_says_its_column(signed_in: SignIn) -> None:
    answer = signed_in().get("/api/v1/events", params={"text": "a AND (b"})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"place": "query:7", "what": "this bracket is never closed"}]


def test_facts_of_sources_are_dated_and_in_scope(world: World, signed_in: SignIn) -> None:
    narrow = signed_in(units=frozenset({"water"}))
    (fact,) = narrow.get("/api/v1/sources/facts").json()
    assert (fact["name"], fact["subject"]) == ("source.last_received", "fw-core")
    assert fact["as_of"] == world.now_us < fact["stale_after"]
    (report,) = narrow.get("/api/v1/sources").json()
    assert fact["value"] == (report["last_received"] or None)


def test_sources_and_health_are_told(world: World, signed_in: SignIn) -> None:
    client = signed_in(Role.SYSTEM_ADMINISTRATOR)
    assert {each["source_id"] for each in client.get("/api/v1/sources").json()} == {"host-web", "fw-core"}
    assert client.get("/api/v1/health").json()["journal_offset"] == 4121
    narrow = signed_in(Role.ANALYST, units=frozenset({"water"}))
    assert {each["source_id"] for each in narrow.get("/api/v1/sources").json()} == {"fw-core"}
