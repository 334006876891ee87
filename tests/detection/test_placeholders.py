"""Placeholders: each value of the site's list in its place; a list that nobody declared is empty."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_rules.snapshot import compile_snapshot
from tests.detection.fakes import APP, fires, group, rule_data, ruleset, snapshot
from tests.detection.oracle import Oracle

SITE = {
    "servers": ["srv*", "db1", r"a\*b"],
    "nets": ["10.0.0.0/8", "192.168.1.0/24"],
    "users": ["Ann", "bob?"],
    "dots": ["a.c", "x*z"],
    "fields": ["G"],
    "one": ["1"],
}

#: (field with modifiers, value in the rule, event, whether it fires)
CASES: list[tuple[str, Any, dict[str, Any], bool]] = [
    ("F|expand", "%servers%", {"F": "SRV-1"}, True),
    ("F|expand", "%servers%", {"F": "db1"}, True),
    ("F|expand", "%servers%", {"F": "db12"}, False),
    ("F|expand", "%servers%", {"F": "a*b"}, True),
    ("F|expand", "%servers%", {"F": "axb"}, False),
    ("F", "%servers%", {"F": "%servers%"}, True),
    ("F|expand", r"\%servers%", {"F": "%servers%"}, True),
    ("F|expand", r"\%plain%users%", {"F": "%plainann"}, True),
    ("F|expand", r"\\%users%", {"F": r"\ann"}, True),
    ("F|expand", r"%users%\profile", {"F": r"ANN\profile"}, True),
    ("F|expand", r"%users%\profile", {"F": r"bobx\profile"}, True),
    ("F|expand", "%users%-%one%", {"F": "ann-1"}, True),
    ("F|expand", "%users%-%nobody%", {"F": "ann-1"}, False),
    ("F|expand", ["%nobody%", "%users%"], {"F": "ann"}, True),
    ("F|expand", ["%nobody%", "zed"], {"F": "zed"}, True),
    ("F|contains|expand", "%users%", {"F": "..ann.."}, True),
    ("F|expand|contains", "%users%", {"F": "..ann.."}, True),
    ("F|endswith|expand", r"\%users%x", {"F": "..%users%x"}, True),
    ("F|cased|expand", "%users%", {"F": "ann"}, False),
    ("F|expand|cased", "%users%", {"F": "Ann"}, True),
    ("F|contains|all|expand", ["%users%", "%one%"], {"F": "1 ann"}, True),
    ("F|contains|all|expand", ["%users%", "%one%"], {"F": "ann bobx"}, False),
    ("F|expand|neq", "%users%", {"F": "carl"}, True),
    ("F|expand|neq", "%users%", {"F": "ann"}, False),
    ("F|expand|cidr", "%nets%", {"F": "10.9.9.9"}, True),
    ("F|expand|cidr", "%nets%", {"F": "11.9.9.9"}, False),
    ("F|re|expand", "^%dots%$", {"F": "a.c"}, True),
    ("F|re|expand", "^%dots%$", {"F": "abc"}, False),
    ("F|re|expand", "^%dots%$", {"F": "x-\n-z"}, True),
    ("F|re|i|expand", "%users%[0-9]", {"F": "..ANN7"}, True),
    ("F|re|expand", "%nobody%|a", {"F": "a"}, False),
    ("F|expand|base64offset|contains", "%one%23", {"F": "..MTIz.."}, True),
    ("F|expand|windash|contains", " -%one%", {"F": "cmd /1"}, True),
    ("F|expand|fieldref", "%fields%", {"F": "a", "G": "A"}, True),
    ("|expand", "%users%", {"H": "so ann said"}, True),
    ("F|expand", "%one%", {"F": 1}, True),
]


@pytest.mark.parametrize(("key", "value", "event", "expected"), CASES)
def test_value(key: str, value: Any, event: dict[str, Any], expected: bool, hyperscan: bool) -> None:
    assert fires({"sel": {key: value}}, event, hyperscan=hyperscan, placeholders=SITE) is expected


#: What pySigma 1.5 cannot do or reads otherwise: escaped backslashes, values of a regex, what is behind ``expand``.
DEPARTS = (r"\\%", "|re|", "expand|base64", "expand|windash", "expand|cidr", "expand|fieldref")


@pytest.mark.parametrize(
    ("key", "value", "event", "expected"), [case for case in CASES if not any(one in str(case) for one in DEPARTS)]
)
def test_the_oracle_reads_it_so_too(key: str, value: Any, event: dict[str, Any], expected: bool) -> None:
    assert Oracle(rule_data({"sel": {key: value}}), placeholders=SITE).fires(APP, event) is expected


FILTERED = rule_data({"sel": {"F": "x"}, "f": {"U|expand": "%known%"}, "condition": "sel and not f"})
SELECTED = rule_data({"sel": {"F|expand": "%known%"}}, title="selected")
OPEN = rule_data({"f": {"F|expand": "%known%"}, "condition": "not f"}, title="open")


def test_a_list_that_nobody_declared_filters_nothing_and_selects_nothing() -> None:
    compiled = snapshot(FILTERED, SELECTED, OPEN)
    assert compiled.engine.match(group([{"F": "x", "U": "ann"}, {"F": "known"}])) == [(0,), ()]
    declared = snapshot(FILTERED, SELECTED, OPEN, placeholders={"known": ["ann", "x"]})
    assert declared.engine.match(group([{"F": "x", "U": "ann"}, {"F": "y"}])) == [(1,), (2,)]


def test_rules_that_wait_are_loaded_and_say_for_what() -> None:
    loaded = ruleset(FILTERED, SELECTED, OPEN, rule_data({"sel": {"F": "x"}}, title="whole"))
    assert not loaded.refused
    assert [(rule.needs, bool(rule.variants)) for rule in loaded.rules] == [
        (("known",), True),
        (("known",), False),
        (("known",), False),
        ((), True),
    ]
    assert [rule.card.title for rule in loaded.waiting()["known"]] == ["a rule", "selected", "open"]


def test_a_rule_that_waits_is_not_one_without_a_source() -> None:
    assert ruleset(SELECTED).unsourced([]) == []


def test_values_are_part_of_what_a_rule_is() -> None:
    ids = [
        compile_snapshot(ruleset(FILTERED, placeholders=site)).id
        for site in ({}, {"known": []}, {"other": ["x"]}, {"known": ["a"]}, {"known": ["b"]})
    ]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids)) == 3


def test_what_differs_from_a_list_that_nobody_declared_narrows_nothing() -> None:
    assert fires({"sel": {"F|expand|neq": "%nobody%", "G": "x"}}, {"F": "ann", "G": "x"})


def test_expansions_are_bounded() -> None:
    many = {"many": [str(n) for n in range(200)]}
    [refused] = ruleset(rule_data({"sel": {"F|expand": "%many%%many%"}}), placeholders=many).refused
    assert "sel: F|expand: expand: one value becomes more than" in refused.reason


@given(st.text("%\\*?ab", max_size=8), st.text("%\\*?abp", max_size=6))
def test_whatever_stands_there_is_read_without_an_error(value: str, event: str) -> None:
    loaded = ruleset(rule_data({"sel": {"F|expand": value}}), placeholders={"a": ["x*"], "b": []})
    compiled = compile_snapshot(loaded)
    assert len(compiled.engine.match(group([{"F": event}]))) == 1
