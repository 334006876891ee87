"""Regular expressions: three ways to run them and one meaning; none can be made to hang."""

import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detection_rules.linear_regex import LinearRegex
from detection_rules.predicate import Regex
from detection_rules.regex_check import check_regex, python_flags
from detection_rules.regex_matcher import RegexMatcher

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", "1", " ", "_", r"\n", "[a-c1]", r"[^\s1]"])
ANCHORS = st.sampled_from(["^", "$", r"\b", r"\B"])
PATTERNS = st.recursive(
    st.one_of(ATOMS, ANCHORS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?", "{2,}"])).map(
            lambda p: f"({p[0]}){p[1]}"
        ),
    ),
    max_leaves=6,
)
FLAGS = st.sets(st.sampled_from("ims")).map(lambda flags: "".join(sorted(flags)))
TEXTS = st.text("abAB1 _\n.", max_size=12)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, FLAGS, TEXTS)
def test_our_automaton_means_what_re_means(pattern: str, flags: str, text: str) -> None:
    assume(text or r"\B" not in pattern)  # re before 3.14 finds no \B in the empty text
    assert LinearRegex(pattern, flags).search(text) is (re.search(pattern, text, python_flags(flags)) is not None)


@settings(max_examples=150, deadline=None)
@given(PATTERNS, FLAGS, TEXTS)
def test_hyperscan_means_what_our_automaton_means(pattern: str, flags: str, text: str) -> None:
    found: set[int] = set()
    RegexMatcher([(5, Regex(pattern, flags))]).match(text, found)
    assert (found == {5}) is LinearRegex(pattern, flags).search(text)


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "expected"),
    [
        ("(?i:A)b", "", "ab", True),
        ("(?i:A)b", "", "aB", False),
        ("(?i)AB", "", "ab", True),
        ("Ä", "i", "ä", True),
        ("[а-я]+", "i", "ЖУК", True),
        (r"\Aa\Z", "", "a\n", False),
        ("告警.{2}$", "", "三级告警 红\n", True),
        ("a{3,5}b", "", "xaab", False),
        ("a{3,5}b", "", "xaaab", True),
        ("^$", "", "", True),
        ("x*", "", "", True),
    ],
)
def test_automaton(pattern: str, flags: str, text: str, expected: bool) -> None:
    assert LinearRegex(pattern, flags).search(text) is expected


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", ".*a.*b.*c.*d", "a.{200}b", "(x+x+)+y", "(a?){30}a{30}"]
)
@pytest.mark.parametrize("with_hyperscan", [True, False])
def test_crafted_texts_do_not_stall(pattern: str, with_hyperscan: bool) -> None:
    matcher = RegexMatcher([(0, Regex(pattern))], hyperscan=with_hyperscan)
    began = time.process_time()
    for text in ("a" * 100_000, "ab" * 50_000, "x" * 30_000 + "!"):
        matcher.match(text, set())
    assert time.process_time() - began < 20


@pytest.mark.parametrize("pattern", [r"(?=(a+)+)b", r"(a+)+\1", r"(?=a)(ab|b)*c", r"(a*)(b*)\2", r"(?<!a)a*b*"])
def test_what_needs_backtracking_over_many_repeats_is_refused(pattern: str) -> None:
    assert "backtracking" in check_regex(pattern, "")


@pytest.mark.parametrize("pattern", ["a{40000}", "(a{1000}){1000}", "((a{50}){50}){50}", "(?x)a", "a**", "("])
def test_what_unfolds_too_far_or_is_not_valid_is_refused(pattern: str) -> None:
    assert check_regex(pattern, "") != ""


@pytest.mark.parametrize("with_hyperscan", [True, False])
def test_look_around_runs_on_the_beginning_of_a_text(with_hyperscan: bool) -> None:
    matcher = RegexMatcher([(0, Regex("(?<!x)evil(?!y)")), (1, Regex("evil"))], hyperscan=with_hyperscan)
    near, far, not_so = set[int](), set[int](), set[int]()
    matcher.match("an evil word", near)
    matcher.match(" " * 5000 + "evil", far)
    matcher.match("xevil evily", not_so)
    assert (near, far, not_so) == ({0, 1}, {1}, {1})


def test_an_expression_that_hyperscan_does_not_take_leaves_the_others_alone() -> None:
    matcher = RegexMatcher([(0, Regex("(?a)b")), (1, Regex("c"))])
    found: set[int] = set()
    matcher.match("bc", found)
    assert found == {0, 1}
