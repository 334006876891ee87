"""Filters: joined to the rules they name by *and*, refused where they cannot be, part of what a rule is."""

from typing import Any

import pytest

from detection_rules.snapshot import compile_snapshot
from tests.detection.fakes import APP, filter_data, group, rule_data, ruleset, snapshot
from tests.detection.oracle import Oracle

ONE, TWO = "929a690e-bef0-4204-a928-ef5e620d6fcc", "10000000-0000-4000-8000-000000000002"
RULE = rule_data({"sel": {"F": "x"}}, id=ONE, name="first_rule")
OTHER = rule_data({"sel": {"F": "x"}}, id=TWO, title="other")
EVENTS = [{"F": "x"}, {"F": "x", "U": "ann"}, {"F": "x", "U": "bob"}]
ANN, BOB = {"sel": {"U": "ann"}}, {"sel": {"U": "bob"}}


def hits(*documents: dict[str, Any]) -> list[int]:
    """How many rules fire on each event."""
    return [len(rules) for rules in snapshot(*documents).engine.match(group(EVENTS))]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [2, 2, 2]),
        ([filter_data([ONE], ANN)], [2, 1, 2]),
        ([filter_data([ONE.upper()], ANN)], [2, 1, 2]),
        ([filter_data(["first_rule"], ANN)], [2, 1, 2]),
        ([filter_data("first_rule", ANN)], [2, 1, 2]),
        ([filter_data([ONE, TWO], ANN)], [2, 0, 2]),
        ([filter_data("any", ANN)], [2, 0, 2]),
        ([filter_data("Any", ANN)], [2, 0, 2]),
        ([filter_data([ONE], ANN), filter_data([ONE], BOB)], [2, 1, 1]),
        ([filter_data([ONE], {**ANN, "condition": "sel"})], [1, 2, 1]),
        ([filter_data([ONE], {"s1": {"U": "ann"}, "s2": {"U": "bob"}, "condition": "not 1 of s*"})], [2, 1, 1]),
        ([filter_data([ONE], {"s1": {"U": "ann"}, "s2": {"U": "bob"}, "condition": "not all of them"})], [2, 2, 2]),
        ([filter_data([ONE], {"sel": ["ANN"]})], [2, 1, 2]),
        ([filter_data([ONE], {"sel": {"U|expand": "%known%"}})], [2, 2, 2]),
    ],
)
def test_a_filter_narrows_the_rules_it_names(filters: list[Any], expected: list[int]) -> None:
    assert hits(*filters, RULE, OTHER) == hits(RULE, OTHER, *filters) == expected


@pytest.mark.parametrize("condition", ["sel", "not sel", "not (sel or f)", "not 1 of *", "all of them"])
def test_the_oracle_reads_filters_so_too(condition: str) -> None:
    one = filter_data([ONE], {"sel": {"U": "ann"}, "f": {"U": "bob"}, "condition": condition})
    oracle = Oracle(RULE, filters=[one])
    assert [bool(fired) for fired in hits(one, RULE)] == [oracle.fires(APP, event) for event in EVENTS]


def test_any_means_those_that_the_logsource_takes_in() -> None:
    elsewhere = rule_data({"sel": {"F": "x"}}, {"product": "app", "service": "log"}, title="elsewhere")
    narrow = filter_data("any", ANN, {"product": "app", "service": "log"})
    assert hits(RULE, elsewhere, narrow) == [2, 1, 2]
    assert [len(one.rules) for one in ruleset(RULE, elsewhere, narrow).filters] == [1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (filter_data([ONE, "nobody"], ANN), "filter.rules: there is no rule 'nobody'"),
        (filter_data([ONE], ANN, {"product": "windows"}), f"filter.rules: {ONE!r} has another logsource"),
        (filter_data([ONE], ANN, {"product": "app", "service": "log"}), "another logsource"),
        (filter_data(["counted"], ANN), "'counted' has no detection"),
        (filter_data([], ANN), "filter.rules: neither 'any' nor a list"),
        (filter_data([ONE], {**ANN, "condition": ["sel"]}), "filter: no condition"),
        (filter_data([ONE], {**ANN, "condition": "sel and x"}), "filter.condition: detection 'x' is not defined"),
        (filter_data([ONE], {"sel": {"U|nonsense": 1}}), "unknown modifier 'nonsense'"),
        ({"title": "f", "logsource": {"product": "app"}, "filter": ["x"]}, "filter: not a mapping"),
        ({"title": "f", "filter": {"rules": [ONE], "sel": ["x"], "condition": "sel"}}, "no logsource"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_and_changes_nothing(data: dict[str, Any], reason: str) -> None:
    counted = {
        "title": "c",
        "name": "counted",
        "correlation": {"type": "event_count", "rules": [TWO], "timespan": "1m", "condition": {"gte": 1}},
    }
    loaded = ruleset(data, RULE, OTHER, counted)
    [refused] = loaded.refused
    assert reason in refused.reason
    assert (refused.line, len(loaded.rules), loaded.filters) == (1, 2, [])


def test_filters_are_part_of_what_a_rule_is() -> None:
    plain, narrowed = ruleset(RULE, OTHER), ruleset(filter_data([ONE], ANN), RULE, OTHER)
    hashes = [[rule.card.content_sha256 for rule in loaded.rules] for loaded in (plain, narrowed)]
    assert hashes[0][0] != hashes[1][0]
    assert hashes[0][1] == hashes[1][1]
    assert compile_snapshot(plain).id != compile_snapshot(narrowed).id
    assert narrowed.rules[0].filters == (narrowed.filters[0].id,)
    assert narrowed.filters[0].rules == (ONE,)


def test_a_filter_on_mapped_events_uses_their_names_and_never_hides_the_rule() -> None:
    logsource = {"product": "windows", "category": "registry_set"}
    rule = rule_data({"sel": {"TargetObject|contains": "Run"}}, logsource, id=ONE)
    by_value = filter_data([ONE], {"sel": {"Details": "fine"}}, logsource)
    by_type = filter_data([ONE], {"sel": {"EventType": "SetValue"}}, logsource)
    compiled = snapshot(by_value, by_type, rule)
    fields = {"ObjectName": r"\Run", "OperationType": "Existing registry value modified"}
    constants = (("Channel", "Security"), ("EventID", "4657"))
    events = [{**dict(constants), **fields, "NewValue": value} for value in ("fine", "evil")]
    from_audit = group(events, snapshot(rule).rules[0].variants[-1].logsource, constants=constants)
    assert compiled.engine.match(from_audit) == [(), (0,)]
