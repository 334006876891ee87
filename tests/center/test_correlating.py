"""Correlation in triage: alerts, windows and the cursor are of one moment, wherever triage is killed."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from soc_center import correlating
from soc_center.processes.triage import Ticks, together
from soc_model.correlation import Correlation, CorrelationType, Operator
from soc_model.layer import Realm
from soc_model.outcome import Outcome
from soc_model.scope import Scope
from soc_store.correlation_store import CorrelationStep, EpisodeQuery
from soc_store.outcome_log import decode_head, encode_outcome
from soc_store.state import AlertFilter, State
from tests.detection.emitting import Fed, at, outcome
from tests.detection.sequence_oracle import Event, found_by

SYSTEM = Scope(units=None, realms=frozenset(Realm))
FIVE = Correlation(
    id="five",
    type=CorrelationType.EVENT_COUNT,
    rules=("failed",),
    group_by=("user",),
    timespan_s=5,
    conditions=((Operator.GTE, 3),),
)
THEN = Correlation(
    id="then", type=CorrelationType.TEMPORAL_ORDERED, rules=("five", "success"), group_by=("user",), timespan_s=30
)
RULES = [FIVE, THEN]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State.open(f"sqlite:///{tmp_path}/state.db", migrate=True)
    yield opened
    opened.close()


def event(second: float, rule: str = "failed", user: str = "root") -> Event:
    return Event(at(second), f"{rule} {user} {second}", rule, "u1", (("user", user),))


def stream() -> list[Outcome]:
    """Guessing of two users, one of whom gets in, and much later something else that closes it all."""
    parts = [[event(n), event(n + 0.5, user="guest")] for n in range(8)]
    parts += [[event(9, "success")], [event(20, user="guest")], [event(90, user="other")]]
    made = [outcome(offset, RULES, part) for offset, part in enumerate(parts, 1)]
    return [decode_head(encode_outcome(one).head) for one in made]


def counted(state: State) -> dict[str, int]:
    """Count by rule and user, of all alerts."""
    return {f"{one.rule.id} {one.group['user']}": one.count for one in state.alerts(SYSTEM, AlertFilter()).alerts}


def test_alerts_count_what_the_oracle_counts(state: State) -> None:
    ticks = Ticks(state)
    for one in stream():
        ticks.take([one])
    events = [event(n) for n in range(8)] + [event(n + 0.5, user="guest") for n in range(8)]
    found = found_by(RULES, [*events, event(9, "success"), event(20, user="guest"), event(90, user="other")])
    expected = {f"{one.rule} {one.group[0]}": one.count for one in found if one.rule == "then"}
    assert counted(state) == expected == {"then root": 2}
    (alert,) = state.alerts(SYSTEM, AlertFilter()).alerts
    (episode,) = state.episodes(SYSTEM, EpisodeQuery(key=alert.key, since=0, until=at(99))).episodes
    assert episode.samples[-1].event_id == "success root 9"
    assert ticks.found.values()["rules"]["five"] == {"findings": 2, "storm_findings": 0}


@pytest.mark.parametrize("steps", [1, 3, 1_000])
def test_a_start_at_every_position_comes_to_the_same(state: State, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlating, "STEPS", steps)
    made = [msgspec.structs.replace(one, correlations={"five": FIVE}) for one in stream()]
    for one in made:
        Ticks(state).take([one])
    fed = Fed()
    for one in made:
        fed.feed(one)
    assert counted(state) == {"five root": 8, "five guest": 8}
    kept = [state.episode(SYSTEM, name) for name in fed.episodes]
    assert kept == list(fed.episodes.values())


def test_what_was_not_committed_is_taken_again(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in stream():
        with monkeypatch.context() as broken:
            broken.setattr("soc_store.alert_writing.write_outbox", killed)
            broken.setattr("soc_store.alert_writing.set_number", killed)
            with pytest.raises(KeyboardInterrupt):
                Ticks(state).take([one])
        Ticks(state).take([one])
    assert counted(state) == {"then root": 2}


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_time_alone_brings_what_waited(state: State) -> None:
    ticks = Ticks(state)
    ticks.take(stream()[:9])
    assert not counted(state)
    assert not ticks.correlating.is_due(at(10))
    assert ticks.correlating.is_due(at(40))
    assert ticks.pass_time(at(40))
    assert counted(Ticks(state)._state) == {"then root": 2}
    assert ticks.cursor == 9


def test_windows_that_cannot_be_read_begin_anew(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    Ticks(state).take(stream()[:3])
    state.commit_tick([], 4, 1, step=CorrelationStep(body=b"something else"))
    ticks = Ticks(state)
    assert "begin anew" in capsys.readouterr().err
    assert ticks.correlating.values()["correlation_groups"] == 0
    ticks.take(stream()[4:5])
    assert [whole for whole, _ in state.correlation_steps()] == [True]


def test_a_tick_takes_what_was_received_within_a_second_and_never_skips() -> None:
    received = [10.0, 10.5, 11.0, 11.5, 10.2]
    heads = [msgspec.structs.replace(stream()[0], offset=n, received=at(each)) for n, each in enumerate(received)]
    assert [one.offset for one in together(heads)] == [0, 1, 2]
    assert together([]) == []


def test_a_tick_without_correlations_writes_no_step(state: State) -> None:
    ticks = Ticks(state)
    ticks.take([msgspec.structs.replace(stream()[0], partials=[], correlations={})])
    assert state.correlation_steps() == []
    assert state.cursor() == 1
