"""Compiled rules as bytes: the same rules, the same findings, and nothing from bytes that are not whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_rules import regex_databases
from detection_rules.compiled import Compiled, decode_compiled, encode_compiled
from detection_rules.library import Library
from detection_rules.plain import plain_of
from detection_rules.predicate import Regex
from detection_rules.regex_databases import Databases, Serialized, chunks, compile_database
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import compile_snapshot
from tests.detection.fakes import APP, group, rule_data, ruleset
from tests.detection.test_engine_against_oracle import EVENTS, RULES, unlike

REGEXES = [{"F|re": "a+b"}, {"F|re|i": "^C"}, {"F|re": "(?=x)x", "G|cidr": "10.0.0.0/8"}, {"G|lt": 1.5}]


def compiled(*rules: dict[str, Any]) -> Compiled:
    """The rules with their databases, as a process that compiles makes them."""
    loaded, databases = ruleset(*rules), Databases(keep=True)
    compile_snapshot(loaded, hyperscan=databases).warm()
    return Compiled(key="k", ruleset=loaded, databases=databases.known, empty={"there": "no rule in it"})


def again(one: Compiled) -> Compiled:
    """Written and read."""
    found = decode_compiled(encode_compiled(one), one.key)
    assert found is not None
    return found


def never(regexes: Any) -> Serialized:
    raise AssertionError(f"compiled again: {regexes}")


@settings(max_examples=60, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=4), EVENTS)
def test_what_is_read_again_is_equal_and_finds_the_same(
    rules: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    one = compiled(*unlike(rules))
    two = again(one)
    assert two == one
    assert two.snapshot().id == one.snapshot().id
    assert two.snapshot().engine.match(group(events)) == compile_snapshot(one.ruleset).engine.match(group(events))


def test_databases_that_are_known_are_not_compiled_again() -> None:
    one = compiled(*unlike([rule_data({"sel": detection}) for detection in REGEXES]))
    assert len(one.databases) == 1
    snapshot = compile_snapshot(again(one).ruleset, hyperscan=Databases(again(one).databases, compile=never))
    events = [{"F": "aab", "G": "0"}, {"F": "cx"}, {"F": "xx", "G": "10.1.1.1"}]
    assert snapshot.engine.match(group(events)) == [(0, 3), (1,), (2,)]


@pytest.mark.parametrize("at", [0, 10, 30, 60, -1])
def test_a_damaged_file_is_none(at: int) -> None:
    data = bytearray(encode_compiled(compiled(rule_data({"sel": {"F|re": "a+"}}))))
    data[at] ^= 1
    assert decode_compiled(bytes(data), "k") is None
    assert decode_compiled(bytes(data[:40]), "k") is None
    assert decode_compiled(b"", "k") is None


def test_a_file_of_other_rules_is_none() -> None:
    data = encode_compiled(compiled(rule_data({"sel": {"F": "a"}})))
    assert decode_compiled(data, "k") is not None
    assert decode_compiled(data, "other") is None


def test_many_expressions_are_shared_out_by_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex_databases, "CHUNK", 4)
    many = [Regex(f"a{number}b") for number in range(24)]
    parts = list(chunks(many))
    assert sorted(one.pattern for part in parts for one in part) == sorted(one.pattern for one in many)
    fewer = list(chunks(many[1:]))
    assert sum(part in fewer for part in parts) == len(parts) - 1


def test_expressions_in_several_databases_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex_databases, "CHUNK", 2)
    rules = [rule_data({"sel": {"F|re": f"x{number}y"}}) for number in range(9)]
    rules.append(rule_data({"sel": {"F|re": "x3y"}}))
    snapshot = compiled(*unlike(rules)).snapshot()
    found = snapshot.engine.match(group([{"F": f"-x{number}y-"} for number in range(10)], APP))
    assert found == [(n, 9) if n == 3 else (n,) if n < 9 else () for n in range(10)]


def test_what_hyperscan_refuses_is_no_part_of_the_database() -> None:
    pytest.importorskip("hyperscan")
    hard = Regex("a{40000}")
    assert compile_database([Regex("a"), hard, Regex("b")]).taken == (0, 2)
    assert compile_database([hard]) == Serialized((), b"")


def test_a_type_that_may_hold_anything_has_no_plain_form() -> None:
    with pytest.raises(TypeError, match="no plain form"):
        plain_of(dict[str, Any])


def test_all_sigma_rules_are_equal_when_read_again(sigma_library: Library, tmp_path: Path) -> None:
    loaded = load_rules(sigma_library.documents, refused=sigma_library.refused)
    one = Compiled(key="k", ruleset=loaded)
    two = again(one)
    assert two == one
    assert list(two.ruleset.predicates.values()) == list(one.ruleset.predicates.values())
    assert replace(two, ruleset=loaded).snapshot().id == two.snapshot().id
