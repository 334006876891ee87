"""Where engines go wrong: what was found to differ between engines, one case for each, by name."""

from typing import Any

import pytest
import yaml

from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import compile_snapshot
from soc_model.source import Logsource
from tests.detection.fakes import APP, fires, group, rule_data, snapshot
from tests.detection.oracle import Oracle

#: name: (detection, event that fires, event that does not)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "startswith_with_an_inner_wildcard": ({"F|startswith": "1?"}, {"F": "12345"}, {"F": "1"}),
    "endswith_with_an_inner_wildcard": ({"F|endswith": "?.exe"}, {"F": "xa.exe"}, {"F": ".exe"}),
    "contains_where_the_field_is_a_list": (
        {"Data|contains": "-enc"},
        {"Data": ["a", "powershell -enc x"]},
        {"Data": ["-e", "nc"]},
    ),
    "null_is_not_the_empty_string": ({"F": None}, {"G": "x"}, {"F": ""}),
    "the_empty_string_is_not_null": ({"F": ""}, {"F": ""}, {"G": "x"}),
    "windash": ({"F|contains|windash": " -enc "}, {"F": "p \u2013enc x"}, {"F": "p +enc x"}),
    "cidr_v4": ({"F|cidr": "192.168.0.0/23"}, {"F": "192.168.1.9"}, {"F": "192.168.2.9"}),
    "cidr_v6": ({"F|cidr": "fd00::/8"}, {"F": "FD12::1"}, {"F": "fe80::1"}),
    "cidr_is_no_text_prefix": ({"F|cidr": "10.1.0.0/16"}, {"F": "10.1.2.3"}, {"F": "10.1"}),
    "fieldref": ({"F|fieldref": "G"}, {"F": "Ann", "G": "ann"}, {"F": "G", "G": "ann"}),
    "re_with_i_ignores_case": ({"F|re|i": "EN[CD]$"}, {"F": "-enc"}, {"F": "-en"}),
    "re_minds_case_and_is_found_anywhere": ({"F|re": "b.d"}, {"F": "abcde"}, {"F": "aBcDe"}),
    "a_backslash_before_a_wildcard": ({"F": r"C:\\*"}, {"F": r"C:\x"}, {"F": "C:x"}),
    "numbers_and_texts_are_one": ({"F": 4688}, {"F": "4688"}, {"F": "46880"}),
    "case_folds_beyond_ascii": ({"F|contains": "STRASSE"}, {"F": "Hauptstraße 1"}, {"F": "strase"}),
}


@pytest.mark.parametrize("name", CASES)
def test_where_engines_go_wrong(name: str, hyperscan: bool) -> None:
    wanted, yes, no = CASES[name]
    assert [fires({"sel": wanted}, event, hyperscan=hyperscan) for event in (yes, no)] == [True, False]


@pytest.mark.parametrize("name", CASES)
def test_and_the_oracle_does_not(name: str) -> None:
    wanted, yes, no = CASES[name]
    oracle = Oracle(rule_data({"sel": wanted}))
    assert [oracle.fires(APP, event) for event in (yes, no)] == [True, False]


def test_a_detection_whose_name_begins_with_not_is_not_negated() -> None:
    detection = {"notepad": {"F": "x"}, "condition": "notepad"}
    assert [fires(detection, {"F": value}) for value in ("x", "y")] == [True, False]


def test_keyword_rules_are_evaluated(hyperscan: bool) -> None:
    detection = {"sel": {"|all": ["one", "t*o"]}, "condition": "sel"}
    events = ({"F": "ONE", "G": "two"}, {"F": "one", "two": 1})
    assert [fires(detection, event, hyperscan=hyperscan) for event in events] == [True, False]


RULE = r"""
title: four
logsource: {product: app}
detection: {sel: {F: 'C:\\\\host\\x*y'}, condition: sel}
"""


def test_four_backslashes_in_single_quotes_are_two(tmp_path: Any) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(RULE)
    assert yaml.safe_load(RULE)["detection"]["sel"]["F"].startswith("C:" + 4 * "\\")
    compiled = compile_snapshot(load_rules(read_documents([path]).documents))
    events = [{"F": "C:" + count * "\\" + r"host\x-y"} for count in (1, 2, 3, 4)]
    assert compiled.engine.match(group(events)) == [(), (0,), (), ()]


SYSMON = (("Channel", "Microsoft-Windows-Sysmon/Operational"), ("EventID", "1"))
SECURITY = (("Channel", "Security"), ("EventID", "4688"))


@pytest.mark.parametrize(("constants", "field"), [(SYSMON, "Image"), (SECURITY, "NewProcessName")])
def test_4688_is_process_creation_as_sysmon_1_is(constants: Any, field: str) -> None:
    rule = rule_data({"sel": {"Image|endswith": "cmd.exe"}}, {"product": "windows", "category": "process_creation"})
    events = [{**dict(constants), field: value} for value in (r"C:\cmd.exe", r"C:\cmd.com")]
    one = group(events, Logsource(product="windows"), constants=constants)
    assert snapshot(rule).engine.match(one) == [(0,), ()]


@pytest.mark.parametrize("other", [Logsource(product="linux"), Logsource(product="app", category="b"), Logsource()])
def test_the_logsource_counts(other: Logsource) -> None:
    compiled = snapshot(rule_data({"sel": {"F": "x"}}, {"product": "app", "category": "a"}))
    assert compiled.engine.match(group([{"F": "x"}], Logsource(product="app", category="a"))) == [(0,)]
    assert compiled.engine.match(group([{"F": "x"}], other)) == [()]


def test_a_constant_that_every_rule_carries_is_no_witness() -> None:
    """Were the channel one, every rule would be evaluated for every new combination."""
    logsource = {"product": "windows", "service": "security"}
    rules = [rule_data({"sel": {"Channel": "Security", "F": f"v{n}"}}, logsource, title=f"{n}") for n in range(200)]
    compiled, seen = snapshot(*rules), Logsource(product="windows", service="security")
    held = group([{**dict(SECURITY), "F": "v7"}], seen, constants=SECURITY)
    assert compiled.engine.plan(held.type).columns == ("F",)
    assert compiled.engine.match(held) == [(7,)]
