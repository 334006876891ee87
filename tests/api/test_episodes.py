"""Alerts of correlations: their episodes at the API and on their page, and nothing that a reader may not see."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.correlation import Correlation, CorrelationType, Operator
from soc_model.episode import Episode, Sample
from soc_model.layer import Layer, Level, Realm
from soc_model.right import Role
from soc_store.correlation_store import CorrelationStep
from tests.api.world import World

SignIn = Callable[..., TestClient]

SECOND = 1_000_000
RULE = Correlation(
    id="many-failed",
    type=CorrelationType.EVENT_COUNT,
    rules=("failed",),
    group_by=("user.name",),
    timespan_s=600,
    conditions=((Operator.GTE, 10),),
)
THEN = Correlation(
    id="then",
    type=CorrelationType.TEMPORAL_ORDERED,
    rules=("many-failed", "success"),
    group_by=("user.name",),
    timespan_s=60,
)


def an_episode(world: World, name: str, start_s: int, **changes: object) -> Episode:
    start = world.now_us - start_s * SECOND
    given: dict[str, object] = {
        "finding_id": name,
        "rule_id": "many-failed",
        "key": "correlated",
        "group": {"user.name": "root<b>"},
        "level": Level.HIGH,
        "layer": Layer.HOST,
        "unit": "water",
        "realm": Realm.LIVE,
        "source_id": "sshd",
        "start": start,
        "held": start + 2 * SECOND,
        "last": start + 90 * SECOND,
        "count": 1_234_567,
        "counts": {"failed": 1_234_567},
        "figure": 1_234_567.0,
        "approximate": False,
        "samples": [Sample(start, "e" * 32, "failed")],
        "definition": RULE,
        "titles": {"failed": ("A failed logon", "登录失败")},
        "entities": {"user.name": ["root<b>"]},
    }
    return Episode(**given | changes)  # type: ignore[arg-type]


def correlated(world: World, *episodes: Episode) -> int:
    """An alert that these episodes are made of; its id."""
    begin, end = min(one.start for one in episodes), max(one.last for one in episodes)
    group = {"user.name": "root<b>"}
    alert = world.raise_alert(key="correlated", unit="water", group=group, first_seen=begin, last_seen=end)
    world.offset += 1
    world.state.commit_tick([], world.offset, world.now_us, step=CorrelationStep(episodes=list(episodes)))
    return alert


def test_the_findings_of_a_correlation_are_its_episodes(world: World, signed_in: SignIn) -> None:
    alert = correlated(world, an_episode(world, "f1", 900), an_episode(world, "f2", 300))
    client = signed_in()
    first = client.get(f"/api/v1/alerts/{alert}/findings?limit=1").json()
    rest = client.get(f"/api/v1/alerts/{alert}/findings", params={"cursor": first["cursor"]}).json()
    assert [one["finding_id"] for one in first["findings"] + rest["findings"]] == ["f2", "f1"]
    assert first["findings"][0]["matched"]["count"] == "1234567"
    assert first["findings"][0]["event_id"] == "e" * 32
    assert rest["cursor"] is None


def test_episodes_say_what_was_counted(world: World, signed_in: SignIn) -> None:
    alert = correlated(world, an_episode(world, "f1", 900))
    (episode,) = signed_in().get(f"/api/v1/alerts/{alert}/episodes").json()["episodes"]
    assert (episode["count"], episode["counts"]) == (1_234_567, {"failed": 1_234_567})
    assert episode["definition"]["conditions"] == [["gte", 10.0]]
    other = world.raise_alert(key="plain", unit="water")
    assert signed_in().get(f"/api/v1/alerts/{other}/episodes").json() == {"episodes": [], "cursor": None}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Number of events", "≥ 10", "10 min", "A failed logon", "1,234,567"]),
        ("zh", ["事件数", "≥ 10", "10 min", "登录失败", "1,234,567", "关联事件段"]),
    ],
)
def test_the_page_shows_what_was_counted(world: World, signed_in: SignIn, language: str, words: list[str]) -> None:
    alert = correlated(world, an_episode(world, "f1", 900), an_episode(world, "f2", 300))
    page = signed_in().get(f"/alerts/{alert}", headers={"Accept-Language": language}).text
    assert [word for word in words if word not in page] == []
    assert page.count('data-expand="/alerts/') == 2
    assert page.count("<rect ") == 2
    assert "root<b>" not in page


def test_an_episode_unfolds_to_its_events_and_to_those_it_builds_on(world: World, signed_in: SignIn) -> None:
    lower = an_episode(world, "f1", 900)
    samples = [Sample(lower.start, "f1", "many-failed"), Sample(lower.last, "a" * 32, "success")]
    upper = an_episode(world, "f2", 899, definition=THEN, samples=samples, chained=("many-failed",))
    alert = correlated(world, lower, upper)
    client = signed_in()
    part = client.get(f"/alerts/{alert}/episodes/f2").text
    assert f'data-expand="/alerts/{alert}/episodes/f1"' in part
    assert f'data-expand="/events/{"a" * 32}?since={lower.last}' in part
    assert "text=user.name%3A%22root%3Cb%3E%22" in part
    assert f'data-expand="/events/{"e" * 32}' in client.get(f"/alerts/{alert}/episodes/f1").text
    assert client.get(f"/alerts/{alert}/episodes/none").status_code == 404


def test_more_episodes_follow(world: World, signed_in: SignIn) -> None:
    alert = correlated(world, *(an_episode(world, f"f{n:02}", 3_600 - 100 * n) for n in range(30)))
    client = signed_in()
    page = client.get(f"/alerts/{alert}").text
    more = page.partition(f'hx-get="/alerts/{alert}/episodes?cursor=')[2].partition('"')[0]
    rest = client.get(f"/alerts/{alert}/episodes?cursor={more}").text
    assert (page.count('data-expand="/alerts/'), rest.count('data-expand="/alerts/')) == (25, 5)
    assert "hx-get" not in rest


def test_episodes_of_another_unit_are_not_there(world: World, signed_in: SignIn) -> None:
    alert = correlated(world, an_episode(world, "f1", 900))
    client = signed_in(Role.ANALYST, units=frozenset({"transport"}))
    for path in (f"/api/v1/alerts/{alert}/episodes", f"/alerts/{alert}/episodes/f1", f"/alerts/{alert}/episodes"):
        assert client.get(path).status_code == 404
