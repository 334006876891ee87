"""What a detection means: every modifier and value of the specification, and where engines go wrong."""

from typing import Any

import pytest

from soc_model.source import Logsource
from tests.detection.fakes import APP, fires, group, rule_data, snapshot
from tests.detection.oracle import Oracle

B64 = "base64offset|contains"

#: (field with modifiers, value in the rule, event, whether it fires)
CASES: list[tuple[str, Any, dict[str, Any], bool]] = [
    ("F", "abc", {"F": "ABC"}, True),
    ("F", "abc", {"F": "abcd"}, False),
    ("F", "abc", {}, False),
    ("F", "straße", {"F": "STRASSE"}, True),
    ("F|cased", "Abc", {"F": "abc"}, False),
    ("F|cased", "Abc", {"F": "Abc"}, True),
    ("F|contains|cased", "Bc", {"F": "aBcd"}, True),
    ("F|contains|cased", "Bc", {"F": "abcd"}, False),
    ("F", "a*c", {"F": "a--c"}, True),
    ("F", "a?c", {"F": "ac"}, False),
    ("F", "a?c", {"F": "axc"}, True),
    ("F", r"a\*c", {"F": "a*c"}, True),
    ("F", r"a\*c", {"F": "axc"}, False),
    ("F", r"a\\*", {"F": "a\\anything"}, True),
    ("F", r"C:\\\\x", {"F": r"C:\\x"}, True),
    ("F", r"C:\\x", {"F": r"C:\x"}, True),
    ("F", r"C:\x", {"F": r"C:\x"}, True),
    ("F", r"a\\\*", {"F": r"a\*"}, True),
    ("F|startswith", "1?", {"F": "12345"}, True),
    ("F|startswith", "1?", {"F": "1"}, False),
    ("F|endswith", "?.exe", {"F": "a.exe"}, True),
    ("F|endswith", "?.exe", {"F": ".exe"}, False),
    ("F|endswith", r"\cmd*.exe", {"F": r"c:\cmd\x.exe"}, True),
    ("F|contains", "a*b?c", {"F": "..a..b.c.."}, True),
    ("F|contains", "a*b?c", {"F": "..a..bc.."}, False),
    ("F|contains", ["x", "b"], {"F": "abc"}, True),
    ("F|contains|all", ["a", "c"], {"F": "abc"}, True),
    ("F|contains|all", ["a", "x"], {"F": "abc"}, False),
    ("F", "*", {"F": ""}, True),
    ("F", "*", {"F": None}, False),
    ("F", "*", {}, False),
    ("F", 1, {"F": "1"}, True),
    ("F", "1", {"F": 1}, True),
    ("F", 1, {"F": 1.0}, True),
    ("F", 1, {"F": True}, False),
    ("F", "true", {"F": True}, True),
    ("F", True, {"F": "TRUE"}, True),
    ("F", False, {"F": 0}, False),
    ("F", "46*", {"F": 4688}, True),
    ("F", "", {"F": ""}, True),
    ("F", "", {"F": None}, False),
    ("F", "", {}, False),
    ("F", None, {"F": None}, True),
    ("F", None, {}, True),
    ("F", None, {"F": ""}, False),
    ("F|exists", True, {"F": None}, True),
    ("F|exists", True, {}, False),
    ("F|exists", False, {}, True),
    ("F|exists", False, {"F": None}, False),
    ("F", "b", {"F": ["a", "B"]}, True),
    ("F|contains", "b", {"F": ["a", "xBx"]}, True),
    ("F|contains|all", ["a", "b"], {"F": ["a", "b"]}, True),
    ("F", "b", {"F": []}, False),
    ("F", 5, {"F": [1, True, 5]}, True),
    ("F|re", "a.c", {"F": "xabcx"}, True),
    ("F|re", "A.c", {"F": "xabcx"}, False),
    ("F|re|i", "A.C", {"F": "xabcx"}, True),
    ("F|re", "a.c", {"F": "a\nc"}, False),
    ("F|re|s", "a.c", {"F": "a\nc"}, True),
    ("F|re", "^c", {"F": "a\nc"}, False),
    ("F|re|m", "^c", {"F": "a\nc"}, True),
    ("F|re|i|m|s", "^B.C$", {"F": "a\nb\nc"}, True),
    ("F|re", r"\d{3}", {"F": 4688}, True),
    ("F|re", r"a\*b", {"F": "a*b"}, True),
    ("F|re", "(?=a)a", {"F": "a"}, True),
    ("F|re", "", {"F": ""}, True),
    ("F|cidr", "10.0.0.0/8", {"F": "10.2.3.4"}, True),
    ("F|cidr", "10.0.0.0/8", {"F": "11.2.3.4"}, False),
    ("F|cidr", "10.0.0.0/8", {"F": "::ffff:10.2.3.4"}, True),
    ("F|cidr", "fe80::/10", {"F": "fe80::1"}, True),
    ("F|cidr", "10.0.0.0/8", {"F": "10.2.3.x"}, False),
    ("F|base64", "foo bar", {"F": "Zm9vIGJhcg=="}, True),
    ("F|" + B64, "/bin/bash", {"F": "xx L2Jpbi9iYXNo xx"}, True),
    ("F|" + B64, "/bin/bash", {"F": "9iaW4vYmFza"}, True),
    ("F|" + B64, "aé", {"F": "YcOp"}, True),
    ("F|wide|" + B64, "http://", {"F": "aAB0AHQAcAA6AC8ALw"}, True),
    ("F|utf16le|" + B64, "http://", {"F": "aAB0AHQAcAA6AC8ALw"}, True),
    ("F|utf16be|base64", "cmd", {"F": "AGMAbQBk"}, True),
    ("F|utf16|base64", "cmd", {"F": "//5jAG0AZAA="}, True),
    ("F|wide|base64", "é", {"F": "6QA="}, True),
    ("F|base64", r"a\*b", {"F": "YSpi"}, True),
    ("F|wide", "ab", {"F": "a\0b\0"}, True),
    ("F|contains|windash", " -x", {"F": "cmd /x"}, True),
    ("F|contains|windash", " /x", {"F": "cmd \u2013x"}, True),
    ("F|contains|windash", " -x", {"F": "cmd x"}, False),
    ("F|windash|contains", [" -x", " -y"], {"F": "cmd /y"}, True),
    ("F|contains|all|windash", [" -x", " -y"], {"F": "cmd /y -x"}, True),
    ("F|contains|all|windash", [" -x", " -y"], {"F": "cmd /y"}, False),
    ("F|fieldref", "G", {"F": "Ab", "G": "aB"}, True),
    ("F|fieldref", "G", {"F": "a", "G": "b"}, False),
    ("F|fieldref", "G", {"F": "a"}, False),
    ("F|fieldref", "G", {}, False),
    ("F|fieldref", "G", {"F": 1, "G": "1"}, True),
    ("F|fieldref", "G", {"F": ["x", "b"], "G": ["b"]}, True),
    ("F|fieldref|startswith", "G", {"F": "abc", "G": "ab"}, True),
    ("F|fieldref|endswith", "G", {"F": "abc", "G": "ab"}, False),
    ("F|fieldref|endswith", "G", {"F": "abc", "G": "bc"}, True),
    ("F|fieldref|contains", "G", {"F": "abc", "G": "B"}, True),
    ("F|fieldref|neq", "G", {"F": "a", "G": "b"}, True),
    ("F|fieldref|cased", "G", {"F": "a", "G": "A"}, False),
    ("F|cased|fieldref", "G", {"F": "a", "G": "A"}, False),
    ("F|cased|fieldref|endswith", "G", {"F": "xA", "G": "A"}, True),
    ("F|fieldref|startswith|neq", "G", {"F": "ab", "G": "a"}, False),
    ("F|contains|windash", " \u2015x", {"F": "cmd -x"}, True),
    ("F|contains|windash", " -x-y", {"F": "cmd /x/y"}, False),
    ("F|cased|contains|windash", " -X", {"F": "cmd /x"}, False),
    ("F|cased|contains|windash", " -X", {"F": "cmd /X"}, True),
    ("F|cased|base64", "foo bar", {"F": "zM9VigjHcG=="}, False),
    ("F|base64|cased", "foo bar", {"F": "Zm9vIGJhcg=="}, True),
    ("F|cased|wide|base64offset|contains", "http://", {"F": "aAB0AHQAcAA6AC8ALw"}, True),
    ("F|cased|wide|base64offset|contains", "http://", {"F": "Aab0ahqacaa6ac8alw"}, False),
    ("F|contains|wide", "ab", {"F": "x\0a\0b\0"}, True),
    ("F|wide|contains", "ab", {"F": "x\0a\0b\0"}, True),
    ("F|wide|cased", "ab", {"F": "A\0B\0"}, False),
    ("F|" + B64, "ab", {"F": "xxFixx"}, True),
    ("F|cidr", "2001:db8::/32", {"F": "2001:DB8::7"}, True),
    ("F|cidr", "2001:db8::/32", {"F": "2001:db9::7"}, False),
    ("F|cidr|neq", "10.0.0.0/8", {"F": "11.2.3.4"}, True),
    ("F|re|neq", "^a", {"F": "ba"}, True),
    ("F|gt|neq", 5, {"F": 5}, True),
    ("F|re|contains", "b.d", {"F": "abcde"}, True),
    ("F|lt", 5, {"F": 4}, True),
    ("F|lt", 5, {"F": "5"}, False),
    ("F|lte", 5, {"F": "5"}, True),
    ("F|gt", 5, {"F": 5.5}, True),
    ("F|gte", 5, {"F": "5.0"}, True),
    ("F|gt", 5, {"F": "six"}, False),
    ("F|gt", -1, {"F": True}, False),
    ("F|gt", 5, {"F": [1, 9]}, True),
    ("F|neq", "a", {"F": "b"}, True),
    ("F|neq", "a", {"F": "A"}, False),
    ("F|neq", ["a", "b"], {"F": "b"}, False),
    ("F|contains|neq", "a", {"F": "xax"}, False),
    ("F|hour", 3, {"F": "2026-11-23T03:04:05Z"}, True),
    ("F|minute", 4, {"F": "2026-11-23 03:04:05.123"}, True),
    ("F|day", 23, {"F": "2026-11-23"}, True),
    ("F|week", 48, {"F": "2026-11-23"}, True),
    ("F|month", 11, {"F": "2026-11-23"}, True),
    ("F|year", 2025, {"F": "2026-11-23"}, False),
    ("F|year", 2026, {"F": "no date"}, False),
    ("F", [], {}, True),
]


@pytest.mark.parametrize(("key", "value", "event", "expected"), CASES)
def test_value(key: str, value: Any, event: dict[str, Any], expected: bool, hyperscan: bool) -> None:
    assert fires({"sel": {key: value}}, event, hyperscan=hyperscan) is expected


#: Those that pySigma 1.5 itself reads otherwise than the specification, or refuses.
DEPARTS = (
    ("utf16",),
    ("é",),
    ("YSpi",),
    ("cased", "fieldref"),
    ("cased", "windash"),
    ("cased", "base64"),
    ("wide", "base64offset"),
    ("―",),
)


@pytest.mark.parametrize(
    ("key", "value", "event", "expected"),
    [c for c in CASES if not any(all(part in str(c) for part in one) for one in DEPARTS)],
)
def test_the_oracle_reads_the_specification_the_same_way(
    key: str, value: Any, event: dict[str, Any], expected: bool
) -> None:
    assert Oracle(rule_data({"sel": {key: value}})).fires(APP, event) is expected


#: (condition, names of the detections that hold, whether the rule fires); detections are a1, a2, b, _hidden, notepad
CONDITIONS = [
    ("a1 and b", {"a1", "b"}, True),
    ("a1 and b", {"a1"}, False),
    ("a1 or a2 and b", {"a1"}, True),
    ("(a1 or a2) and b", {"a1"}, False),
    ("not a1 and b", {"b"}, True),
    ("not (a1 and b)", {"b"}, True),
    ("not not b", {"b"}, True),
    ("a1 and not 1 of a*", {"a1"}, False),
    ("b and not 1 of a*", {"b"}, True),
    ("1 of a*", {"a2"}, True),
    ("all of a*", {"a2"}, False),
    ("all of a*", {"a1", "a2"}, True),
    ("any of a*", {"a1"}, True),
    ("1 of them", {"_hidden"}, False),
    ("1 of them", {"b"}, True),
    ("1 of _h*", {"_hidden"}, True),
    ("notepad", {"notepad"}, True),
    ("notepad", set(), False),
    ("not notepad", set(), True),
    ("1 of *1", {"a1"}, True),
    ("  a1\n and ( b )  ", {"a1", "b"}, True),
]


@pytest.mark.parametrize(("condition", "holding", "expected"), CONDITIONS)
def test_condition(condition: str, holding: set[str], expected: bool) -> None:
    detections: dict[str, Any] = {name: {name: "yes"} for name in ("a1", "a2", "b", "_hidden", "notepad")}
    event = dict.fromkeys(holding, "yes")
    assert fires({**detections, "condition": condition}, event) is expected


def test_several_conditions_are_alternatives() -> None:
    detection = {"a": {"F": "1"}, "b": {"F": "2"}, "condition": ["a", "b"]}
    assert [fires(detection, {"F": value}) for value in ("1", "2", "3")] == [True, True, False]


#: (detection, event, whether it fires): searches over all values of the record
KEYWORDS = [
    (["evil"], {"F": "so EVIL it is"}, True),
    (["evil"], {"evil": "a name is no value"}, False),
    (["one", "two"], {"F": "two"}, True),
    ({"|all": ["one", "two"]}, {"F": "one", "G": "two"}, True),
    ({"|all": ["one", "two"]}, {"F": "one"}, False),
    (["a*z"], {"F": "..a..z.."}, True),
    (["a*z"], {"F": "a", "G": "z"}, False),
    ({"|re": "e[vw]il"}, {"F": "ewil"}, True),
    ([4104], {"F": 14104}, True),
    (["evil"], {"F": ["good", "evil"]}, True),
    ("evil", {"F": "evil"}, True),
    ([{"F": "x"}, {"|contains": "evil"}], {"G": "evil"}, True),
    ({"|base64offset": "/bin/bash"}, {"F": "L2Jpbi9iYXNo"}, True),
]


@pytest.mark.parametrize(("detection", "event", "expected"), KEYWORDS)
def test_keywords(detection: Any, event: dict[str, Any], expected: bool, hyperscan: bool) -> None:
    assert fires({"sel": detection}, event, hyperscan=hyperscan) is expected
    assert Oracle(rule_data({"sel": detection})).fires(APP, event) is expected


def test_lists_of_maps_are_alternatives_and_maps_are_not() -> None:
    detection = {"sel": [{"F": "1", "G": "1"}, {"F": "2"}]}
    events = [{"F": "1"}, {"F": "1", "G": "1"}, {"F": "2"}]
    assert [fires(detection, event) for event in events] == [False, True, True]


@pytest.mark.parametrize(
    ("logsource", "expected"),
    [
        (Logsource(product="app"), True),
        (Logsource(product="app", service="other"), True),
        (Logsource(product="other"), False),
        (Logsource(), False),
    ],
)
def test_a_rule_sees_only_events_of_its_logsource(logsource: Logsource, expected: bool) -> None:
    compiled = snapshot(rule_data({"sel": {"F": "1"}}))
    assert bool(compiled.engine.match(group([{"F": "1"}], logsource))[0]) is expected


def test_values_that_a_dict_takes_for_one_stay_apart() -> None:
    compiled = snapshot(rule_data({"sel": {"F": "true"}}), rule_data({"sel": {"F": 1}}, title="one"))
    events = [{"F": value} for value in (1, True, 1.0, "1", "true", [1], [True], [1.0])]
    assert compiled.engine.match(group(events)) == [(1,), (0,), (1,), (1,), (0,), (1,), (0,), (1,)]


@pytest.mark.parametrize(
    ("detection", "text", "expected"),
    [
        ({"sel": ["evil"]}, b"so EVIL it is", True),
        ({"sel": ["evil"]}, b"fine", False),
        ({"sel": {"F": None}}, b"evil", False),
        ({"sel": ["evil"], "f": {"F": "x"}, "condition": "sel and not f"}, b"evil", True),
        ({"sel": ["evil"], "f": {"F": "x"}, "condition": "sel and f"}, b"evil", False),
        ({"sel": ["evil"], "condition": "not sel"}, b"fine", False),
        ({"sel": ["\\xff"]}, b"\xff", True),
    ],
)
def test_unparsed_events_are_matched_by_keywords_only(detection: dict[str, Any], text: bytes, expected: bool) -> None:
    compiled = snapshot(rule_data(detection))
    found = compiled.engine.match(group([{"message": "evil"}], unparsed={0: "broken"}, raws=[text]))
    assert bool(found[0]) is expected
