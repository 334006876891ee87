"""The correlator where the oracle does not look: eviction, early and late, changed rules, what is told of episodes."""

import msgspec
import pytest

from detection_rules.correlator import Correlator
from soc_model.correlation import Correlation, CorrelationType, Operator
from soc_model.layer import Realm
from tests.detection.emitting import Fed, at, card, emitted, outcome
from tests.detection.sequence_oracle import Event

FIVE = Correlation(
    id="five",
    type=CorrelationType.EVENT_COUNT,
    rules=("failed",),
    group_by=("user",),
    timespan_s=60,
    conditions=((Operator.GTE, 5),),
)
THEN = Correlation(
    id="then", type=CorrelationType.TEMPORAL_ORDERED, rules=("five", "success"), group_by=("user",), timespan_s=120
)
FEWER = msgspec.structs.replace(FIVE, id="fewer", conditions=((Operator.LT, 3),))


def failed(*seconds: float, user: str = "root", rule: str = "failed", **fields: str) -> list[Event]:
    named = (("user", user), *fields.items())
    return [Event(at(second), f"{rule}-{user}-{second}", rule, "u1", named) for second in seconds]


def test_a_count_fires_with_the_event_that_makes_it_hold_and_counts_on_exactly() -> None:
    fed = Fed()
    assert fed.feed(outcome(1, [FIVE], failed(1, 2, 3, 4))).deltas == []
    (delta,) = fed.feed(outcome(2, [FIVE], failed(5))).deltas
    assert (delta.count, delta.first_seen, delta.last_seen) == (5, at(1), at(5))
    (more,) = fed.feed(outcome(3, [FIVE], failed(6, 6.5))).deltas
    assert (more.count, more.key, more.sample_event_id) == (2, delta.key, "failed-root-1")
    (episode,) = fed.episodes.values()
    assert (episode.count, episode.figure, episode.approximate, episode.held) == (7, 7, False, at(5))


def test_events_more_than_a_window_apart_are_two_episodes_of_one_alert() -> None:
    fed = Fed()
    fed.feed(outcome(1, [FIVE], failed(1, 2, 3, 4, 5)), outcome(2, [FIVE], failed(71, 72, 73, 74, 75)))
    assert [one.count for one in fed.episodes.values()] == [5, 5]
    assert list(fed.counts.values()) == [10]


def test_a_late_event_joins_two_episodes_and_the_alert_counts_none_twice() -> None:
    fed = Fed()
    fed.feed(outcome(1, [FIVE], failed(*range(1, 6))), outcome(2, [FIVE], failed(*range(71, 76))))
    changes = fed.feed(outcome(3, [FIVE], failed(15, 16, 17, 18, 19)))
    assert [one.count for one in fed.episodes.values()] == [15]
    assert len(changes.gone) == 1
    assert list(fed.counts.values()) == [15]


def test_fewer_than_is_said_only_when_its_window_is_closed() -> None:
    fed = Fed(grace_s=10)
    fed.feed(outcome(1, [FEWER], failed(0, 1)))
    assert not fed.correlator.is_due(at(70) - 1)
    assert not fed.step(fed.correlator.passing(at(70) - 1)).episodes
    (episode,) = fed.step(fed.correlator.passing(at(70))).episodes
    assert (episode.count, episode.start) == (2, at(0))


def test_fewer_than_is_not_said_of_the_edges_of_a_flood() -> None:
    fed = Fed()
    fed.feed(outcome(1, [FEWER], failed(*range(60))))
    fed.finish()
    assert not fed.episodes


def test_an_event_after_its_window_was_judged_is_counted_as_late() -> None:
    fed = Fed(grace_s=10)
    fed.feed(outcome(1, [FEWER], failed(0, 1)))
    fed.step(fed.correlator.passing(at(70)))
    assert fed.feed(outcome(2, [FEWER], failed(2), at(71))).episodes == []
    assert fed.correlator.late == 1


def test_guessing_then_success_is_told_once_the_guessing_is_settled() -> None:
    fed = Fed(grace_s=10)
    rules = [FIVE, THEN]
    fed.feed(outcome(1, rules, failed(1, 2, 3, 4, 5)), outcome(2, rules, failed(7, rule="success")))
    assert {one.rule_id for one in fed.episodes.values()} == {"five"}
    (delta,) = fed.step(fed.correlator.passing(at(17))).deltas
    assert (delta.rule.id, delta.count) == ("then", 2)
    chained = next(one for one in fed.episodes.values() if one.rule_id == "then")
    guessing = next(one for one in fed.episodes.values() if one.rule_id == "five")
    assert [one.event_id for one in chained.samples] == [guessing.finding_id, "success-root-7"]
    assert delta.sample_event_id == "success-root-7"
    assert not guessing.raises_alert


def test_a_clock_that_jumps_still_hands_on_what_was_settled_before_it_forgets() -> None:
    fed = Fed(grace_s=3)
    rules = [FIVE, msgspec.structs.replace(THEN, rules=("success", "five"), timespan_s=10)]
    fed.feed(outcome(1, rules, [*failed(0, rule="success"), *failed(1, 2, 3, 4, 5)]))
    assert [one.rule.id for one in fed.step(fed.correlator.passing(at(10_000))).deltas] == ["then"]


@pytest.mark.parametrize("generate", [True, False])
def test_a_base_correlation_raises_alerts_of_its_own_only_with_generate(*, generate: bool) -> None:
    fed = Fed()
    rules = [FIVE, msgspec.structs.replace(THEN, generate=generate)]
    deltas = fed.feed(outcome(1, rules, failed(1, 2, 3, 4, 5))).deltas
    assert [one.rule.id for one in deltas] == (["five"] if generate else [])


def test_unit_and_realm_are_never_mixed() -> None:
    fed = Fed()
    own = failed(1, 2, 3, 4)
    other = [event._replace(unit="u2") for event in own]
    drill = msgspec.structs.replace(outcome(3, [FIVE], own), partials=emitted([FIVE], own, Realm.DRILL))
    fed.feed(outcome(1, [FIVE], own), outcome(2, [FIVE], other), drill)
    assert not fed.episodes
    fed.feed(outcome(4, [FIVE], failed(5)))
    assert [(one.count, one.unit, one.realm) for one in fed.episodes.values()] == [(5, "u1", Realm.LIVE)]


def test_groups_least_recently_touched_go_first_when_the_bytes_are_used_up() -> None:
    fed = Fed(limit_bytes=40_000)
    for offset in range(1, 201):
        fed.feed(outcome(offset, [FIVE], failed(1, user="kept") + failed(1, user=f"user {offset}")))
    assert fed.correlator.size_bytes <= 40_000
    assert fed.correlator.evicted == 201 - fed.correlator.groups > 100
    assert [one.count for one in fed.episodes.values()] == [200]


def test_a_group_larger_than_all_room_is_let_go_of_too() -> None:
    fed = Fed(limit_bytes=40_000)
    day = msgspec.structs.replace(FIVE, timespan_s=86_400, conditions=((Operator.GTE, 1_000_000),))
    fed.feed(outcome(1, [day], failed(*range(500))))
    assert (fed.correlator.groups, fed.correlator.evicted, fed.correlator.size_bytes) == (0, 1, 0)


def test_windows_are_forgotten_when_nothing_can_belong_to_them() -> None:
    fed = Fed(grace_s=10)
    fed.feed(outcome(1, [FIVE], failed(1, 2, 3, 4, 5)))
    fed.step(fed.correlator.passing(at(20)))
    assert fed.correlator.groups == 1
    fed.step(fed.correlator.passing(at(76)))
    assert (fed.correlator.groups, fed.correlator.evicted, fed.correlator.size_bytes) == (0, 0, 0)


def test_more_values_than_are_kept_exactly_are_estimated_and_said_to_be() -> None:
    many = msgspec.structs.replace(FIVE, type=CorrelationType.VALUE_COUNT, fields=("n",))
    fed = Fed()
    fed.feed(outcome(1, [many], [event for n in range(1_000) for event in failed(n / 1_000, n=str(n))]))
    (episode,) = fed.episodes.values()
    assert episode.approximate
    assert episode.count == 1_000
    assert abs(episode.figure - 1_000) < 60


def test_sketches_of_a_long_window_are_added_up_block_by_block_to_the_same() -> None:
    many = msgspec.structs.replace(
        FIVE, type=CorrelationType.VALUE_COUNT, fields=("n",), timespan_s=300, conditions=((Operator.GTE, 700),)
    )
    fed = Fed()
    for offset, second in enumerate([*range(0, 190, 3), 195], 1):
        names = [f"{second // 100}-{n}" for n in range(300)] if second < 195 else [f"new-{n}" for n in range(200)]
        (one,) = emitted([many], failed(second))
        partial = msgspec.structs.replace(one, values=dict.fromkeys(names, 1), count=len(names))
        changes = fed.feed(msgspec.structs.replace(outcome(offset, [many], failed(second)), partials=[partial]))
        assert bool(changes.episodes) is (second == 195)
    (episode,) = fed.episodes.values()
    assert episode.count == 64 * 300 + 200
    assert abs(episode.figure - 800) < 50


def test_a_changed_rule_begins_anew_and_a_removed_one_is_no_more() -> None:
    fed = Fed()
    fed.feed(outcome(1, [FIVE, THEN], failed(1, 2, 3, 4)))
    less = msgspec.structs.replace(FIVE, conditions=((Operator.GTE, 2),))
    changed = msgspec.structs.replace(outcome(2, [less], failed(5)), snapshot="other")
    assert not fed.feed(changed).episodes
    assert list(fed.correlator.rules.rules) == ["five"]
    again = msgspec.structs.replace(outcome(3, [less], failed(6)), snapshot="other")
    assert [one.rule.id for one in fed.feed(again).deltas] == ["five"]


def test_partials_of_a_rule_without_a_definition_change_nothing() -> None:
    fed = Fed()
    nameless = msgspec.structs.replace(outcome(1, [FIVE], failed(1)), correlations={})
    fed.feed(nameless)
    assert fed.correlator.groups == 0


def test_a_copy_of_another_version_begins_anew_where_it_was() -> None:
    fed = Fed()
    fed.feed(outcome(7, [FIVE], failed(1)))
    other = msgspec.structs.replace(fed.correlator.freeze(), version=99)
    assert (Correlator.thaw(other).offset, Correlator.thaw(other).groups) == (7, 0)


def test_the_finding_of_an_episode_names_its_first_event_and_its_figures() -> None:
    fed = Fed()
    fed.feed(outcome(1, [FIVE], failed(1, 2, 3, 4, 5)))
    (episode,) = fed.episodes.values()
    finding = episode.finding()
    assert (finding.rule_id, finding.event_id, finding.at) == ("five", "failed-root-1", at(1))
    assert finding.matched == {"count": "5", "event_count": "5"}
    assert episode.titles == {"failed": (card("failed").title, "规则")}
