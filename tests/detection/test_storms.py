"""Storms: of many findings of one rule in one batch the first are kept, the rest counted; alerts stay exact."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_rules.detect import detect
from detection_rules.triage import fold
from soc_model.outcome import KEPT, Outcome
from soc_store.outcome_log import decode_head, encode_outcome
from tests.detection.fakes import RECEIVED, group, located, rule_data, snapshot

RULES = snapshot(rule_data({"sel": {"F": "evil"}}), rule_data({"sel": {"G": "bad"}}))


def outcome_of(hosts: list[str], event: dict[str, Any] | None = None, keep: int = KEPT) -> Outcome:
    """One event a host name, in two groups."""
    groups = []
    for part in (hosts[: len(hosts) // 2], hosts[len(hosts) // 2 :]):
        one = group([event or {"F": "evil"}] * len(part), header={"host.name": part})
        one.raws[:] = [f"{len(groups)} {n}".encode() for n in range(len(part))]
        groups.append(located(one))
        groups[-1].at[:] = [RECEIVED + len(groups) * 10_000 + n for n in range(len(part))]
    return detect(groups, RULES, 7, RECEIVED, keep=keep)


def test_a_hundred_of_a_rule_are_kept_and_the_rest_counted() -> None:
    outcome = outcome_of(["pc"] * 250)
    [storm] = outcome.storms
    assert (len(outcome.findings), storm.count) == (100, 150)
    assert (storm.rule_id, storm.key) == (outcome.findings[0].rule_id, outcome.findings[0].key)
    assert (storm.first_seen, storm.last_seen) == (RECEIVED + 10_100, RECEIVED + 20_124)
    assert sum(stat.findings for stat in outcome.stats) == 250
    assert sum(block.rows for block in outcome.blocks) == 250, "the events are kept all the same"


def test_exactly_as_many_as_are_kept_are_no_storm() -> None:
    outcome = outcome_of(["pc"] * KEPT)
    assert (len(outcome.findings), outcome.storms) == (KEPT, [])


def test_each_rule_has_its_own_measure() -> None:
    outcome = outcome_of(["pc"] * 150, {"F": "evil", "G": "bad"})
    assert (len(outcome.findings), sorted(storm.count for storm in outcome.storms)) == (200, [50, 50])


def test_the_first_of_each_alert_is_kept_so_that_each_has_an_example() -> None:
    outcome = outcome_of(["loud"] * 120 + ["late"] * 3)
    assert [finding.group["host.name"] for finding in outcome.findings[KEPT:]] == ["late"]
    assert sorted(storm.count for storm in outcome.storms) == [2, 20]


@given(hosts=st.lists(st.sampled_from("abc"), max_size=40), keep=st.integers(0, 10))
def test_alerts_count_what_they_would_without_a_limit(hosts: list[str], keep: int) -> None:
    limited, whole = outcome_of(hosts, keep=keep), outcome_of(hosts, keep=1000)
    expected = {delta.key: (delta.count, delta.first_seen, delta.last_seen) for delta in fold([whole, whole])}
    deltas = fold([limited, limited])
    assert {delta.key: (delta.count, delta.first_seen, delta.last_seen) for delta in deltas} == expected
    kept = [finding.key for finding in limited.findings]
    assert all(delta.count - delta.storm_count == 2 * kept.count(delta.key) for delta in deltas)


@pytest.mark.parametrize("n", [1, 101])
def test_the_outcome_log_keeps_storms(n: int) -> None:
    outcome = outcome_of(["pc"] * n)
    assert decode_head(encode_outcome(outcome).head).storms == outcome.storms
