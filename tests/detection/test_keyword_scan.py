"""Keywords searched in the bytes of records: a record that holds one is never passed over."""

import json
import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.format import load_format
from detection_rules.engine import Engine
from detection_rules.keyword_scan import FOLDING, KeywordScan
from soc_model.event import EventGroup
from tests.detection.fakes import rule_data, snapshot

LITERALS = ["evil", 'a"b', "c\\d", "x/y", "it's <b>", "mimi::katz", "kiss", "ﬁre".casefold(), "e+f=g"]
TEXTS = st.one_of(st.text("evilkEVß\"\\/'<>=+:ſﬁ烽\n ", max_size=6), st.sampled_from(LITERALS).map(str.upper))


def parsed(lines: list[bytes]) -> list[EventGroup]:
    return load_format("json").parse(lines, {"received": 0}, lambda kind: None)


def escaped(text: str) -> str:
    """The text as JSON that writes every character by its number."""
    return '"' + "".join(f"\\u{ord(one):04X}" for one in text) + '"'


@cache
def engine_of(hyperscan: bool) -> Engine:
    rules = [rule_data({"sel": [literal]}, {"category": "c"}, title=literal) for literal in LITERALS]
    return snapshot(*rules, hyperscan=hyperscan).engine


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), st.sampled_from([True, False]), st.booleans())
def test_what_the_values_hold_is_found_in_the_bytes(pairs: list[tuple[str, str]], ascii_only: bool, odd: bool) -> None:
    written = escaped if odd else lambda text: json.dumps(text, ensure_ascii=ascii_only)
    lines = [f'{{"time": 1, "a": {written(one + two)}, "b": [{written(two)}]}}'.encode() for one, two in pairs]
    for hyperscan in (True, False):
        engine = engine_of(hyperscan)
        assert _hits(engine, lines, by_bytes=True) == _hits(engine, lines, by_bytes=False)


def _hits(engine: Engine, lines: list[bytes], *, by_bytes: bool) -> list[tuple[int, ...]]:
    form, found = load_format("json"), []
    for group in form.parse(lines, {"received": 0, "logsource": {"category": "c"}}, lambda kind: None):
        group.written = group.written and by_bytes
        found += engine.match(group)
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_what_lines_say_is_found_in_them(pairs: list[tuple[str, str]]) -> None:
    lines = [f"Dec 10 06:55:46 h p[1]: {one}{two}".replace("\n", " ").encode() for one, two in pairs]
    context = {"received": 0, "logsource": {"category": "c"}}
    (group,) = load_format("syslog").parse(lines, context, lambda kind: None)
    assert group.plain
    found = [engine_of(hyperscan).match(group) for hyperscan in (True, False)]
    group.plain = False
    assert found == [engine_of(hyperscan).match(group) for hyperscan in (True, False)]


@pytest.mark.parametrize("hyperscan", [True, False])
def test_only_records_that_may_hold_a_keyword_are_named(hyperscan: bool) -> None:
    scan = KeywordScan(["lsadump::", "mimidrv.sys"], hyperscan=hyperscan)
    records = [
        b'{"a": "nothing"}',
        b'{"a": "LsaDump::sam"}',
        b'{"a": "\\u006csadump::"}',
        "{'ſ'}".encode(),
        b"lsa\ndump::",
    ]
    assert scan.possible and scan.named(records) == [1, 2, 3]
    assert not KeywordScan(["200"]).possible and not KeywordScan(["烽燧"]).possible and not KeywordScan([]).possible


def test_what_folds_to_ascii_is_known() -> None:
    characters = (chr(code) for code in range(0x80, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    assert {one for one in characters if any(part.isascii() for part in one.casefold())} == set(FOLDING)


def test_a_record_read_tolerantly_is_looked_at_by_its_values() -> None:
    good, odd = b'{"time": 1, "a": "x"}', b'{"time": 1, "a": "x", "a": "y"}'
    assert [group.written for group in parsed([good])] == [True]
    assert [group.written for group in parsed([good, odd])] == [False]
