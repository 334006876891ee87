"""The engine, with all its caches and automata, decides as the naive reading of the specification does."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from soc_model.source import Logsource
from tests.detection.fakes import filter_data, group, rule_data, snapshot
from tests.detection.oracle import Oracle

NAMES = st.sampled_from(["F", "G", "H"])
WORDS = st.text("ab1 \\*?/-İß\n", max_size=4)
SCALARS = st.one_of(
    WORDS, st.integers(-1, 11), st.booleans(), st.none(), st.sampled_from([1.0, 0.5, "10.0.0.7", "\ud800a"])
)
EVENTS = st.lists(
    st.dictionaries(NAMES, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=3), min_size=1, max_size=6
)
LOGSOURCES = st.sampled_from(
    [Logsource(product="app"), Logsource(product="app", service="log"), Logsource(product="x")]
)

TEXT_KEYS = ["", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|contains|cased", "|neq"]
ITEMS = st.one_of(
    st.tuples(st.sampled_from(TEXT_KEYS), st.one_of(WORDS, st.lists(WORDS, min_size=1, max_size=3))),
    st.tuples(st.just(""), st.one_of(st.none(), st.booleans(), st.integers(0, 2))),
    st.tuples(st.just("|re"), st.sampled_from(["a+b", "^1", "b$", "[^a]", "a|1", ".", "(a|b){2}", r"\d"])),
    st.tuples(st.just("|re|i"), st.sampled_from(["A+B", "^B?1", "[A-B]1"])),
    st.tuples(st.just("|exists"), st.booleans()),
    st.tuples(st.sampled_from(["|lt", "|lte", "|gt", "|gte"]), st.integers(0, 2)),
    st.tuples(
        st.sampled_from(["|fieldref", "|fieldref|contains", "|fieldref|startswith", "|fieldref|endswith"]), NAMES
    ),
    st.tuples(st.just("|cidr"), st.sampled_from(["10.0.0.0/8", "11.0.0.0/8"])),
)
#: The site's lists; nobody has declared ``none``.
SITE = {"p": ["a", "b*"], "q": ["1", "ab?", r"\*"]}
EXPANDED = st.tuples(
    st.sampled_from(
        ["|expand", "|contains|expand", "|expand|startswith", "|contains|all|expand", "|expand|neq", "|cased|expand"]
    ),
    st.lists(st.sampled_from(["%p%", "a%p%", "%q%1", "%p%%q%", "b", "%none%"]), min_size=1, max_size=2),
)
FIELD_DETECTIONS = st.lists(st.tuples(NAMES, ITEMS), min_size=1, max_size=3).map(
    lambda items: {name + key: value for name, (key, value) in items}
)
KEYWORDS = st.lists(WORDS.filter(lambda word: word.strip("*") != ""), min_size=1, max_size=2)
DETECTIONS = st.one_of(
    FIELD_DETECTIONS,
    st.lists(FIELD_DETECTIONS, min_size=1, max_size=2),
    KEYWORDS,
    KEYWORDS.map(lambda words: {"|all": words}),
)
CONDITIONS = st.sampled_from(
    ["s1", "s1 and s2", "s1 or not s2", "not s1", "1 of s*", "all of s*", "s1 and not 1 of s2*", "not (s1 and s2)"]
)
RULES = st.builds(
    lambda one, two, condition, service: rule_data(
        {"s1": one, "s2": two, "condition": condition}, {"product": "app"} | ({"service": "log"} if service else {})
    ),
    DETECTIONS,
    DETECTIONS,
    CONDITIONS,
    st.booleans(),
)


SITE_DETECTIONS = st.lists(st.tuples(NAMES, st.one_of(ITEMS, EXPANDED, EXPANDED)), min_size=1, max_size=2).map(
    lambda items: {name + key: value for name, (key, value) in items}
)
SITE_RULES = st.builds(
    lambda one, two, condition: rule_data({"s1": one, "s2": two, "condition": condition}),
    SITE_DETECTIONS,
    DETECTIONS,
    CONDITIONS,
)
FILTERS = st.builds(
    lambda rules, detection, condition: filter_data(rules, {"f1": detection, "condition": condition}),
    st.sampled_from(["any", ["r0"], ["r1", "r2"]]),
    st.one_of(SITE_DETECTIONS, KEYWORDS),
    st.sampled_from(["not f1", "f1", "not 1 of f*"]),
)
FOUR, EIGHT = {"min_size": 4, "max_size": 4}, {"min_size": 8, "max_size": 8}
EVENT = st.dictionaries(NAMES, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=3)


def expected(rules: list[dict[str, Any]], logsource: Logsource, events: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    """What the oracle says of each event."""
    oracles = [Oracle(rule) for rule in rules]
    return [tuple(n for n, oracle in enumerate(oracles) if oracle.fires(logsource, event)) for event in events]


def unlike(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules under different titles, so that no two are one document."""
    return [{**rule, "title": f"rule {number}"} for number, rule in enumerate(rules)]


@settings(max_examples=120, deadline=None)
@given(st.lists(RULES, **FOUR), LOGSOURCES, st.lists(EVENT, **EIGHT))
def test_engine_and_oracle_agree(
    rules: list[dict[str, Any]], logsource: Logsource, events: list[dict[str, Any]]
) -> None:
    """7,680 pairs of a rule and an event."""
    rules = unlike(rules)
    wanted = expected(rules, logsource, events)
    for hyperscan in (True, False):
        compiled = snapshot(*rules, hyperscan=hyperscan)
        first = compiled.engine.match(group(events, logsource))
        assert first == wanted
        assert compiled.engine.match(group(events, logsource)) == first


@settings(max_examples=50, deadline=None)
@given(st.lists(SITE_RULES, **FOUR), st.lists(FILTERS, max_size=2), st.lists(EVENT, **EIGHT))
def test_filters_and_the_lists_of_a_site_as_the_oracle_reads_them(
    rules: list[dict[str, Any]], filters: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    """3,200 pairs. A rule that waits for a list in silence is asked for nothing."""
    rules = [{**rule, "name": f"r{number}"} for number, rule in enumerate(unlike(rules))]
    filters = [{**one, "title": f"filter {number}"} for number, one in enumerate(filters)]
    oracles = [Oracle(rule, filters=filters, placeholders=SITE) for rule in rules]
    logsource = Logsource(product="app")
    for hyperscan in (True, False):
        compiled = snapshot(*filters, *rules, hyperscan=hyperscan, placeholders=SITE)
        awake = [number for number, rule in enumerate(compiled.rules) if rule.variants or not rule.needs]
        wanted = [tuple(n for n in awake if oracles[n].fires(logsource, event)) for event in events]
        assert compiled.engine.match(group(events, logsource)) == wanted


@settings(max_examples=100, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), EVENTS, st.sampled_from(["a", "b1", "", "1"]))
def test_constants_of_the_type_change_nothing(
    rules: list[dict[str, Any]], events: list[dict[str, Any]], constant: str
) -> None:
    rules, events = unlike(rules), [{**event, "F": constant} for event in events]
    compiled, logsource = snapshot(*rules), Logsource(product="app", service="log")
    found = compiled.engine.match(group(events, logsource, constants=(("F", constant),)))
    assert found == expected(rules, logsource, events)


@settings(max_examples=100, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), EVENTS)
def test_fields_that_are_not_wanted_change_nothing(rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    compiled, one = snapshot(*unlike(rules)), group(events)
    wanted = compiled.wanted(one.type)
    fewer = [{name: event[name] for name in event if wanted is None or name in wanted} for event in events]
    assert compiled.engine.match(group(fewer)) == compiled.engine.match(one)


@settings(max_examples=60, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), EVENTS)
def test_a_cache_without_room_changes_nothing(rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    rules = unlike(rules)
    small, large = snapshot(*rules, cache_bytes=300), snapshot(*rules)
    assert small.engine.match(group(events)) == large.engine.match(group(events))


@settings(max_examples=60, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), st.text("ab1*\n", max_size=6))
def test_unparsed_records_as_the_oracle_reads_them(rules: list[dict[str, Any]], text: str) -> None:
    rules = unlike(rules)
    found = snapshot(*rules).engine.match(group([{}], unparsed={0: "broken"}, raws=[text.encode()]))[0]
    logsource = Logsource(product="app", category="things", service="log")
    assert found == tuple(n for n, rule in enumerate(rules) if Oracle(rule).fires_on_text(logsource, text))
