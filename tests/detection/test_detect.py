"""Groups to an outcome: findings, alert keys, counts and archive rows."""

from typing import Any

import pytest

from detection_rules.detect import detect
from detection_rules.triage import fold
from soc_model.alert import ENTITY_VALUES
from soc_model.event import COLUMNS
from soc_model.finding import alert_key, finding_id
from soc_model.layer import Realm
from soc_model.outcome import Outcome
from tests.detection.fakes import RECEIVED, SOURCE, group, located, rule_data, snapshot

HEADER = {"host.name": ["pc1", "pc2"], "user.name": [None, "eve"], "destination.port": [443, 80]}
EVENTS = [{"F": "evil", "G": ["a", "evil"], "n": 1}, {"F": "fine"}]


def outcome_of(*rules: dict[str, Any], events: list[dict[str, Any]] = EVENTS, **more: Any) -> Outcome:
    given = {"header": HEADER, **more} if len(events) == 2 else more
    return detect([located(group(events, **given))], snapshot(*rules), 7, RECEIVED)


def test_a_finding_says_what_where_and_why() -> None:
    outcome = outcome_of(rule_data({"sel": {"F": "EVIL"}}, level="high"))
    [finding] = outcome.findings
    card = outcome.cards[finding.rule_id]
    assert finding.finding_id == finding_id(card.id, card.content_sha256, finding.event_id)
    assert (finding.level, finding.layer, finding.unit, finding.realm) == ("high", "host", "u1", Realm.LIVE)
    assert (finding.at, finding.received, finding.offset) == (RECEIVED - 2_000_000, RECEIVED, 7)
    assert finding.matched == {"F": "evil"}
    assert finding.entities == {"host.name": "pc1"}
    assert finding.key == alert_key(card.id, "u1", Realm.LIVE, {"host.name": "pc1"})


def test_a_rule_fires_once_an_event_however_many_ways_it_matches() -> None:
    detection = {"a": {"F": "evil"}, "b": {"G": "evil"}, "condition": ["a", "b"]}
    assert len(outcome_of(rule_data(detection)).findings) == 1


@pytest.mark.parametrize(
    ("group_by", "header", "expected"),
    [
        ([], HEADER, {"host.name": "pc1"}),
        ([], {}, {"source": "s1"}),
        (["user.name", "destination.port"], HEADER, {"destination.port": "443"}),
        (["F", "n"], {}, {"F": "evil", "n": "1"}),
        (["missing"], HEADER, {"source": "s1"}),
        (["G"], {}, {"G": "a, evil"}),
    ],
)
def test_the_alert_key_is_made_of(group_by: list[str], header: dict[str, Any], expected: dict[str, str]) -> None:
    rule = rule_data({"sel": {"F": "evil"}}, fengsui={"group_by": group_by})
    assert outcome_of(rule, header=header).findings[0].group == expected


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ({"sel": {"F|contains": "v", "G": "evil"}}, {"F": "evil", "G": "evil"}),
        ({"sel": {"F": "evil"}, "f": {"n": 2}, "condition": "sel and not f"}, {"F": "evil"}),
        ({"sel": {"F": "evil"}, "o": {"n": 9}, "condition": "sel or o"}, {"F": "evil"}),
        ({"sel": ["vil"]}, {"F": "evil", "G": "evil"}),
        ({"sel": {"missing": None}, "o": {"F": "evil"}, "condition": "sel and o"}, {"F": "evil"}),
        ({"sel": {"F|fieldref": "G"}}, {"F": "evil", "G": "a"}),
        ({"sel": {"n|gt": 0}}, {"n": "1"}),
    ],
)
def test_why_it_fired(detection: dict[str, Any], expected: dict[str, str]) -> None:
    assert outcome_of(rule_data(detection)).findings[0].matched == expected


def test_long_values_are_cut() -> None:
    outcome = outcome_of(rule_data({"sel": {"F|contains": "x"}}), events=[{"F": "x" * 5000}])
    assert outcome.findings[0].matched == {"F": "x" * 512}


def test_an_unparsed_record_fires_by_its_text() -> None:
    made = group([{"message": "?"}], unparsed={0: "broken"}, raws=[b"\xff evil"])
    outcome = detect([located(made, flags=["unparsed"])], snapshot(rule_data({"sel": ["EVIL"]})), 7, RECEIVED)
    assert outcome.findings[0].matched == {"raw": "\\xff evil"}
    assert outcome.stats[0].unparsed == 1


def test_stats_count_each_source_and_dataset_once() -> None:
    compiled = snapshot(rule_data({"sel": {"F": "evil"}}))
    flagged = located(group(EVENTS), flags=["truncated time_flagged", "quarantined"])
    flagged.sizes[0] = (2_000_000, "ab" * 32)
    [stat] = detect([located(group(EVENTS)), flagged], compiled, 7, RECEIVED).stats
    raw = [len(repr(event)) for event in EVENTS]
    assert (stat.source_id, stat.dataset, stat.day) == ("s1", "test.things", "2026-09-21")
    assert (stat.events, stat.findings) == (4, 2)
    assert stat.raw_bytes == sum(raw) + 2_000_000 + raw[1]
    assert (stat.truncated, stat.time_flagged, stat.quarantined) == (1, 1, 1)
    assert (stat.lag_max_s, stat.last_received) == (2.0, RECEIVED)


def test_rows_hold_every_event_and_say_once_what_is_the_same() -> None:
    one = located(group(EVENTS, header=HEADER, raws=[b"text \xe7\x83\xbd", b"\xff\x00"]))
    [block] = detect([one], snapshot(), 7, RECEIVED).blocks
    assert block.rows == 2
    assert set(block.constants) | set(block.columns) <= set(COLUMNS)
    assert not set(block.constants) & set(block.columns)
    assert {"layer", "realm", "received"} <= set(block.constants)
    assert all(len(values) == 2 for values in block.columns.values())
    assert block.columns["raw"] == ["text 烽", "\\xff\x00"]
    assert block.columns["raw_binary"] == [None, b"\xff\x00"]
    assert block.columns["user.name"] == [None, "eve"]
    assert block.constants["product"] == "app"
    assert "raw_sha256" not in {*block.constants, *block.columns}


def test_rows_of_a_record_kept_in_part_have_the_size_and_hash_of_the_whole() -> None:
    one = located(group(EVENTS), flags=["truncated", ""])
    one.sizes[0] = (2_000_000, "ab" * 32)
    [block] = detect([one], snapshot(), 7, RECEIVED).blocks
    assert block.columns["raw_bytes"][0] == 2_000_000
    assert block.columns["raw_sha256"] == ["ab" * 32, None]
    assert block.columns["flags"] == ["truncated", None]


def test_nothing_in_means_nothing_out() -> None:
    compiled = snapshot()
    outcome = detect([], compiled, 3, RECEIVED)
    assert outcome == Outcome(
        offset=3, received=RECEIVED, snapshot=compiled.id, findings=[], cards={}, stats=[], blocks=[]
    )


def outcome_at(offset: int, hosts: list[str]) -> Outcome:
    made = group([{"F": "evil"} for _ in hosts], header={"host.name": hosts, "user.name": [f"u{offset}"] * len(hosts)})
    rule = rule_data({"sel": {"F": "evil"}}, fengsui={"group_by": ["host.name"]}, level="medium")
    return detect([located(made, offset=offset)], snapshot(rule), offset, RECEIVED)


def test_fold_counts_the_findings_of_a_key_and_keeps_the_first_as_sample() -> None:
    first, second = outcome_at(3, ["a", "b", "a"]), outcome_at(5, ["a"])
    one, other = fold([first, second])
    assert (one.group, one.count, one.first_offset, one.last_offset) == ({"host.name": "a"}, 3, 3, 5)
    assert (other.group, other.count, other.level) == ({"host.name": "b"}, 1, "medium")
    assert one.sample_event_id == first.findings[0].event_id
    assert one.entities == {"host.name": ["a"], "user.name": ["u3", "u5"]}
    assert (one.matched, one.source_id, one.rule.id) == ({"F": "evil"}, SOURCE.id, first.findings[0].rule_id)


def test_fold_keeps_entities_bounded_and_leaves_outcomes_alone() -> None:
    outcomes = [outcome_at(offset, ["a"]) for offset in range(ENTITY_VALUES + 10)]
    [delta] = fold(outcomes)
    assert delta.count == ENTITY_VALUES + 10
    assert len(delta.entities["user.name"]) == ENTITY_VALUES
    assert outcomes[0].findings[0].entities["user.name"] == "u0"


def test_fold_of_nothing_is_nothing() -> None:
    assert fold([]) == []
