"""Whoever writes the log chooses the values: none of them may stall the engine or fill its memory."""

import time
from typing import Any

import pytest

from collectors.json_record import read_object
from detection_rules.column_matcher import ColumnMatcher
from detection_rules.predicate import Predicate, Text, Wildcard
from detection_rules.regex_matcher import STEPS
from detection_rules.snapshot import Snapshot
from soc_model.source import Logsource
from tests.detection.fakes import fires, group, rule_data, snapshot

MEGABYTE = 1_000_000
SYSMON = (("Channel", "Microsoft-Windows-Sysmon/Operational"), ("EventID", "1"))


@pytest.mark.parametrize("unit", [" ", "\\", "a", "powershell -enc ", "ß", "\ud800", "烽"])
def test_a_megabyte_of_anything_is_decided_soon(sigma_snapshot: Snapshot, unit: str) -> None:
    value = unit * (MEGABYTE // len(unit))
    event = dict.fromkeys(("CommandLine", "Image", "ParentCommandLine"), value) | dict(SYSMON)
    sigma_snapshot.engine.warm()
    began = time.process_time()
    sigma_snapshot.engine.match(group([event], Logsource(product="windows", service="sysmon"), constants=SYSMON))
    assert time.process_time() - began < 15


def test_what_stands_across_the_pieces_of_a_long_value_is_found() -> None:
    event = {"F": "x" * 65_533 + "needle" + "y" * 70_000 + "end"}
    for key, value, expected in [("contains", "NEEDLE", True), ("endswith", "yend", True), ("startswith", "y", False)]:
        assert fires({"sel": {f"F|{key}": value}}, event) is expected
    assert fires({"sel": {"F": "x*needle*e?d"}}, event)


ODD_VALUES = [10**6000, -(10**400), 1e308, float("inf"), float("nan"), [], [[1], ["a"]], "\0", {"a": 1}]


@pytest.mark.parametrize("value", ODD_VALUES, ids=range(len(ODD_VALUES)))
def test_odd_values_are_decided(value: Any) -> None:
    compiled = snapshot(
        rule_data({"sel": {"F|contains": "a", "F|gt": 3}}),
        rule_data({"sel": ["evil"]}),
        rule_data({"sel": {"F|cidr": "10.0.0.0/8"}}),
        rule_data({"sel": {"G": "x"}}),
        rule_data({"sel": {"F|fieldref": "G"}}),
    )
    assert compiled.engine.match(group([{"F": value, "G": "x"}], raws=[b""]))[0][-1:] == (3,)


def test_caches_stay_within_their_bytes() -> None:
    compiled = snapshot(rule_data({"sel": {"F|contains": "x", "G": "y"}}), cache_bytes=50_000)
    for batch in range(20):
        compiled.engine.match(group([{"F": f"x{batch}-{n}", "G": str(n)} for n in range(200)]))
    counters = compiled.engine.counters()
    assert counters.cache_bytes <= 50_000
    assert counters.clears > 5
    assert counters.events == 4000
    assert counters.value_lookups == 2 * 4000
    assert 0 < counters.evicted <= counters.value_misses + counters.tuple_misses


def test_types_that_no_rule_tells_apart_share_one_plan() -> None:
    compiled = snapshot(rule_data({"sel": {"EventID": 7, "F": "x"}}))
    for code in range(5000):
        compiled.wanted(group([], constants=(("EventID", str(code)), ("Channel", f"c{code}"))).type)
    assert compiled.engine.counters().plans == 2


def test_memory_does_not_grow_with_plans() -> None:
    rules = [rule_data({"sel": {"A": str(n), "F": "x"}}, title=str(n)) for n in range(1100)]
    compiled = snapshot(*rules)
    for n in range(1100):
        kind = group([{"A": str(n), "F": "x"}], constants=(("A", str(n)),))
        assert compiled.engine.match(kind) == [(n,)]
    assert compiled.engine.counters().plans <= 1024


def test_a_pattern_of_many_stars_is_linear() -> None:
    parts = (*("a", Wildcard.MANY) * 200, "b")
    matcher = ColumnMatcher({0: Predicate("F", Text(parts))})
    began = time.process_time()
    assert matcher.classify("a" * 200_000 + "c") == frozenset()
    assert matcher.classify("a" * 200_000 + "b") == {0}
    assert time.process_time() - began < 5


def test_our_own_automata_read_a_value_only_so_far() -> None:
    compiled = snapshot(*(rule_data({"sel": {"F|re": f"a{n}b+c"}}, title=str(n)) for n in range(20)), hyperscan=False)
    for value in ("a" * MEGABYTE, ["a" * 20] * 100_000):
        before = compiled.engine.counters().regex_lookups
        compiled.engine.match(group([{"F": value}]))
        assert 0 < compiled.engine.counters().regex_lookups - before <= STEPS
    assert compiled.engine.counters().regex_misses < 2000
    assert compiled.engine.match(group([{"F": "x" * 5000 + "a7bc"}])) == [(7,)]


def test_a_key_that_stands_in_a_record_again_and_again_costs_its_length() -> None:
    texts = [f'"a": "{n}"' for n in range(40_000)]
    began = time.process_time()
    value, _ = read_object(f"{{{','.join(texts)}}}".encode(), {})
    assert value is not None and len(value["a"]) == 40_000
    assert time.process_time() - began < 5


def test_values_that_come_once_do_not_push_out_those_in_use() -> None:
    compiled = snapshot(rule_data({"sel": {"F|contains": "x"}}), cache_bytes=60_000)
    often = [{"F": f"often {n}"} for n in range(20)]
    compiled.engine.match(group(often))
    for batch in range(200):
        compiled.engine.match(group([*often, *({"F": f"once {batch} {n}"} for n in range(20))]))
    counters = compiled.engine.counters()
    assert counters.clears > 5 and counters.cache_bytes <= 60_000
    assert counters.value_misses == 20 + 200 * 20


def test_a_long_text_is_kept_when_it_comes_again() -> None:
    compiled = snapshot(rule_data({"sel": {"F|contains": "x"}}))
    misses = []
    for _ in range(4):
        compiled.engine.match(group([{"F": "long " * 200}, {"F": "short"}]))
        misses.append(compiled.engine.counters().value_misses)
    assert misses == [2, 3, 3, 3]
