"""Episodes and windows of correlations in the state: committed with their tick or not at all, read by who may."""

import msgspec
import pytest

from soc_model.correlation import Correlation, CorrelationType, Operator
from soc_model.episode import Episode, Sample
from soc_model.layer import Layer, Level, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.correlation_store import CorrelationStep, EpisodeQuery
from soc_store.leftovers import Leftover
from soc_store.state import State
from tests.store.making import NOON, SYSTEM, delta

RULE = Correlation(
    id="five", type=CorrelationType.EVENT_COUNT, rules=("a",), timespan_s=60, conditions=((Operator.GTE, 5),)
)
EPISODE = Episode(
    finding_id="f1",
    rule_id="five",
    key="k",
    group={"user": "root"},
    level=Level.HIGH,
    layer=Layer.HOST,
    unit="u1",
    realm=Realm.LIVE,
    source_id="s1",
    start=100,
    held=110,
    last=120,
    count=5,
    counts={"a": 5},
    figure=5.0,
    approximate=False,
    samples=[Sample(100, "e1", "a")],
    definition=RULE,
)


@pytest.fixture
def state(tmp_path):
    opened = State.open(f"sqlite:///{tmp_path}/state.db", migrate=True)
    yield opened
    opened.close()


def episode(name: str, **other) -> Episode:
    return msgspec.structs.replace(EPISODE, finding_id=name, **other)


def query(**other) -> EpisodeQuery:
    return EpisodeQuery(**{"key": "k", "since": 0, "until": 1_000, **other})


def names(state: State, wanted: EpisodeQuery, scope: Scope = SYSTEM) -> list[str]:
    return [one.finding_id for one in state.episodes(scope, wanted).episodes]


def test_an_episode_is_kept_as_it_was_last_told(state):
    state.commit_tick([], 1, NOON, step=CorrelationStep(episodes=[EPISODE]))
    grown = episode("f1", count=9, last=300)
    state.commit_tick([], 2, NOON, step=CorrelationStep(episodes=[grown]))
    assert state.episode(SYSTEM, "f1") == grown
    assert state.episodes(SYSTEM, query()).episodes == [grown]


def test_an_episode_that_became_part_of_another_goes(state):
    state.commit_tick([], 1, NOON, step=CorrelationStep(episodes=[EPISODE, episode("f2")]))
    state.commit_tick([], 2, NOON, step=CorrelationStep(gone=["f2"]))
    assert names(state, query()) == ["f1"]


def test_pages_of_episodes_newest_first(state):
    made = [episode(f"f{n}", start=100 + n // 2, last=200) for n in range(7)]
    state.commit_tick([], 1, NOON, step=CorrelationStep(episodes=made))
    first = state.episodes(SYSTEM, query(limit=4))
    rest = state.episodes(SYSTEM, query(limit=4, cursor=first.cursor))
    assert [one.finding_id for one in (*first.episodes, *rest.episodes)] == [f"f{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert rest.cursor is None
    with pytest.raises(Problem, match="cursor"):
        state.episodes(SYSTEM, query(cursor="WzFd"))


def test_only_episodes_within_the_time_of_the_alert(state):
    state.commit_tick([], 1, NOON, step=CorrelationStep(episodes=[EPISODE, episode("f2", start=500, last=600)]))
    assert names(state, query(until=400)) == ["f1"]
    assert names(state, query(since=121)) == ["f2"]
    assert names(state, query(key="other")) == []


@pytest.mark.parametrize(
    "scope",
    [Scope(units=frozenset({"u2"}), realms=frozenset(Realm)), Scope(units=None, realms=frozenset({Realm.TEST}))],
)
def test_an_episode_outside_the_scope_is_not_there(state, scope):
    state.commit_tick([], 1, NOON, step=CorrelationStep(episodes=[EPISODE]))
    assert state.episode(scope, "f1") is None
    assert names(state, query(), scope) == []


def test_steps_are_read_in_order_from_the_last_whole_one_on(state):
    for offset, (whole, body) in enumerate([(False, b"1"), (True, b"2"), (False, b"3"), (False, b"4")], 1):
        state.commit_tick([], offset, NOON, step=CorrelationStep(body=body, whole=whole))
    assert state.correlation_steps() == [(True, b"2"), (False, b"3"), (False, b"4")]


def test_a_tick_that_is_refused_leaves_no_step(state):
    state.commit_tick([], 5, NOON, step=CorrelationStep(body=b"1"))
    assert state.commit_tick([delta()], 5, NOON, step=CorrelationStep(body=b"2", episodes=[EPISODE])) == []
    with pytest.raises(Problem, match="stored cursor 5"):
        state.commit_tick([], 9, NOON, after=3, step=CorrelationStep(body=b"3"))
    assert state.correlation_steps() == [(False, b"1")]
    assert state.episode(SYSTEM, "f1") is None


def test_time_alone_may_commit_a_step_at_the_cursor(state):
    state.commit_tick([], 5, NOON)
    assert state.commit_tick([delta()], 5, NOON, after=5, step=CorrelationStep(body=b"1")) == [1]
    assert (state.cursor(), state.correlation_steps()) == (5, [(False, b"1")])


def test_old_episodes_go_unless_an_alert_is_made_of_them(state):
    silent = episode("f2", raises_alert=False)
    state.commit_tick([delta()], 1, NOON, step=CorrelationStep(episodes=[EPISODE, silent]))
    state.commit_tick([delta()], 2, NOON + 10, step=CorrelationStep(episodes=[episode("f3", raises_alert=False)]))
    assert state.drop_leftovers(Leftover.EPISODES, NOON + 5, 100) == 1
    assert sorted(names(state, query())) == ["f1", "f3"]
