"""Correlation documents: read whole, resolved by id or name, refused with the reason, loaded with what they need."""

from typing import Any

import pytest

from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import compile_snapshot
from soc_model.correlation import CorrelationType, Operator
from soc_model.layer import Level
from tests.detection.fakes import correlation_data, rule_data, ruleset

ONE, TWO = "929a690e-bef0-4204-a928-ef5e620d6fcc", "10000000-0000-4000-8000-000000000002"
A = rule_data({"sel": {"F": "a"}}, id=ONE, name="a", title="rule a", level="low")
B = rule_data({"sel": {"F": "b"}}, id=TWO, name="b", title="rule b", level="high")


def loaded(data: dict[str, Any]) -> Any:
    """The one correlation of the document."""
    found = ruleset(A, B, data)
    assert not found.refused, [str(one) for one in found.refused]
    return found.correlations[0].correlation


@pytest.mark.parametrize("kind", list(CorrelationType))
def test_every_type_is_read(kind: CorrelationType) -> None:
    needs = {} if "temporal" in kind or kind == "event_count" else {"condition": {"field": "V", "gt": 1}}
    found = loaded(correlation_data(["a", TWO], kind, **needs))
    assert (found.type, found.rules, found.group_by, found.timespan_s) == (kind, (ONE, TWO), ("F",), 300)
    assert found.fields == (("V",) if needs else ())
    assert found.percentile == 50


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"gte": 100}, ((Operator.GTE, 100),)),
        ({"gt": 100, "lte": 200}, ((Operator.LTE, 200), (Operator.GT, 100))),
        ({"neq": 1.5}, ((Operator.NEQ, 1.5),)),
        ({"eq": "3"}, ((Operator.EQ, 3),)),
    ],
)
def test_conditions(condition: dict[str, Any], expected: Any) -> None:
    assert loaded(correlation_data(["a"], condition=condition)).conditions == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("90m", 5400),
        ("1h", 3600),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1M", 2_629_746),
        ("1y", 31_556_952),
    ],
)
def test_spans_of_time(text: str, seconds: int) -> None:
    assert loaded(correlation_data(["a"], timespan=text)).timespan_s == seconds


def test_fields_percentile_aliases_and_generate() -> None:
    condition = {"field": ["U", "V"], "gte": 3}
    counted = loaded(correlation_data(["a", "b"], "value_count", condition=condition, generate=True))
    assert (counted.fields, counted.generate) == (("U", "V"), True)
    rare = loaded(correlation_data(["a"], "value_percentile", condition={"field": "V", "lte": 1, "percentile": 99}))
    assert rare.percentile == 99
    aliases = {"ip": {"a": "src", TWO: "dst"}}
    joined = loaded(correlation_data(["a", "b"], "temporal", aliases=aliases, group_by="ip"))
    assert [joined.field_of(rule, "ip") for rule in joined.rules] == ["src", "dst"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"title": "c", "correlation": 3}, "correlation: not a mapping"),
        (correlation_data([]), "correlation.rules: names no rule"),
        (correlation_data(["a", "a"]), "'a' stands there twice"),
        (correlation_data(["a", ONE]), "stands there twice"),
        (correlation_data(["a"], "near"), "correlation.type: 'near' is none of event_count"),
        (correlation_data(["a"], timespan="5 minutes"), "correlation.timespan: '5 minutes'"),
        (correlation_data(["a"], timespan="0s"), "correlation.timespan"),
        (correlation_data(["a"], timespan="99y"), "correlation.timespan"),
        (correlation_data(["a"], timeframe="5m"), "correlation.timeframe: not part of Sigma 2.1"),
        (correlation_data(["a"], condition=None), "correlation.condition: not a mapping"),
        (correlation_data(["a"], condition={}), "one comparison, or two"),
        (correlation_data(["a"], condition={"gt": 1, "gte": 1, "lt": 5}), "one comparison, or two"),
        (correlation_data(["a"], condition={"gte": "many"}), "condition.gte: 'many' is no number"),
        (correlation_data(["a"], condition={"gte": True}), "condition.gte: True is no number"),
        (correlation_data(["a"], condition={"ge": 1}), "condition.ge: not part"),
        (correlation_data(["a"], condition={"gte": 1, "field": "V"}), "event_count counts no values"),
        (correlation_data(["a"], condition={"gte": 1, "percentile": 5}), "event_count has none"),
        (correlation_data(["a"], "value_sum", condition={"gte": 1}), "value_sum needs one"),
        (correlation_data(["a"], "value_sum", condition={"gte": 1, "field": ["U", "V"]}), "value_sum takes one"),
        (
            correlation_data(["a"], "value_percentile", condition={"gte": 1, "field": "V", "percentile": 101}),
            "not between 0 and 100",
        ),
        (correlation_data(["a", "b"], "temporal", condition="a and not b"), "written as text is not part"),
        (correlation_data(["a", "b"], "temporal_ordered", condition={"gte": 1}), "in order means all its rules"),
        (correlation_data(["a"], aliases={"x": "y"}), "correlation.aliases.x: not a mapping"),
        (correlation_data(["a"], aliases={"x": {"b": "y"}}), "correlation.aliases.x: 'b' is not among its rules"),
        (correlation_data(["a"], generate="yes"), "correlation.generate"),
        (correlation_data(["nobody"]), "there is no rule 'nobody'"),
        (correlation_data(["a"], id="not-a-uuid"), "UUID"),
    ],
)
def test_what_is_refused_and_why(data: dict[str, Any], reason: str) -> None:
    found = ruleset(A, B, data)
    assert found.correlations == []
    assert len(found.rules) == 2
    assert reason in found.refused[0].reason


def test_a_chain_in_any_order_and_its_levels() -> None:
    inner = correlation_data(["a"], name="many")
    outer = correlation_data(["many", "b"], "temporal_ordered", name="outer", level="critical")
    for documents in ([A, B, inner, outer], [outer, inner, B, A]):
        found = ruleset(*documents)
        assert [one.card.level for one in found.correlations] == [Level.LOW, Level.CRITICAL]
        many, last = found.correlations
        assert last.correlation.rules == (many.card.id, TWO)


def test_references_across_files(tmp_path: Any) -> None:
    (tmp_path / "z.yml").write_text(
        "title: a\nname: a\nlogsource: {product: x}\ndetection: {s: {F: 1}, condition: s}\n"
    )
    (tmp_path / "c.yml").write_text(
        "title: c\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {gte: 2}}\n"
        "---\ntitle: d\ncorrelation: {type: event_count, rules: [z], timespan: 5m, condition: {gte: 2}}\n"
    )
    found = load_rules(read_documents([tmp_path]).documents)
    assert [one.card.title for one in found.correlations] == ["c"]
    [refused] = found.refused
    assert (refused.line, refused.title, "'z'" in refused.reason) == (4, "d", True)


def test_circles_are_named_and_what_leads_to_them_too() -> None:
    x, y = correlation_data(["y"], name="x"), correlation_data(["x"], name="y", title="y")
    itself, leads = correlation_data(["me"], name="me"), correlation_data(["y"], name="leads")
    found = ruleset(A, x, y, itself, leads)
    reasons = {refusal.line: refusal.reason for refusal in found.refused}
    assert reasons[2] == "goes round in a circle: x -> y -> x"
    assert reasons[3] == "goes round in a circle: y -> x -> y"
    assert reasons[4] == "goes round in a circle: me -> me"
    assert "its rule 'y' is refused: it goes round" in reasons[5]


def test_the_reason_of_a_base_is_the_reason_of_all_above_it() -> None:
    bad = rule_data({"sel": {"F|nonsense": "a"}}, name="bad", title="bad")
    found = ruleset(bad, correlation_data(["bad"], name="one"), correlation_data(["one"], name="two"))
    assert [refusal.reason for refusal in found.refused] == [
        "sel: F|nonsense: unknown modifier 'nonsense'",
        "its rule 'bad' is refused: sel: F|nonsense: unknown modifier 'nonsense'",
        "its rule 'one' is refused: its rule 'bad' is refused: sel: F|nonsense: unknown modifier 'nonsense'",
    ]


def test_a_name_that_several_carry_means_none() -> None:
    found = ruleset(A, {**B, "name": "a"}, correlation_data(["a"]), correlation_data([ONE], title="by id"))
    assert "'a' is the name of several rules: rules.yml:1, rules.yml:2" in found.refused[0].reason
    assert [one.card.title for one in found.correlations] == ["by id"]


def test_a_chain_groups_by_what_the_lower_one_groups_by() -> None:
    lower = correlation_data(["a"], name="lower")
    wrong = ruleset(A, lower, correlation_data(["lower"], group_by=["user.name"]))
    assert "'user.name' is not in the group-by of the correlation" in wrong.refused[0].reason
    aliased = correlation_data(["lower", "b"], "temporal", group_by=["x"], aliases={"x": {"lower": "F", "b": "G"}})
    assert not ruleset(A, B, lower, aliased).refused


@pytest.mark.parametrize("count", [16, 17, 400])
def test_chains_are_bounded(count: int) -> None:
    chain = [correlation_data([f"c{n - 1}" if n else "a"], name=f"c{n}", title=f"c{n}") for n in range(count)]
    found = ruleset(A, *chain)
    assert (len(found.correlations), len(found.refused)) == (16, count - 16)
    assert all("16 correlations build on one another" in refusal.reason for refusal in found.refused)


@pytest.mark.parametrize(
    ("documents", "how", "rules", "left"),
    [
        ([A, B], {}, {"rule a": True, "rule b": True}, (0, 0)),
        ([A, B, correlation_data(["a"])], {}, {"rule a": False, "rule b": True}, (0, 0)),
        ([A, B, correlation_data(["a"], generate=True)], {}, {"rule a": True, "rule b": True}, (0, 0)),
        (
            [A, correlation_data(["a"]), correlation_data(["a"], generate=True, title="2")],
            {},
            {"rule a": True},
            (0, 0),
        ),
        ([A, B], {"min_level": Level.HIGH}, {"rule b": True}, (1, 0)),
        ([A, B, correlation_data(["a"])], {"min_level": Level.HIGH}, {"rule b": True}, (2, 0)),
        (
            [A, B, correlation_data(["a"], level="high")],
            {"min_level": Level.HIGH},
            {"rule a": False, "rule b": True},
            (0, 0),
        ),
        (
            [A, correlation_data(["a"], level="high", generate=True)],
            {"min_level": Level.HIGH},
            {"rule a": False},
            (0, 0),
        ),
        ([A, B], {"inactive": [ONE]}, {"rule b": True}, (0, 1)),
        ([A, B, correlation_data(["a"])], {"inactive": [ONE]}, {"rule a": False, "rule b": True}, (0, 0)),
        ([A, correlation_data(["a"], id=TWO)], {"inactive": [TWO]}, {"rule a": True}, (0, 1)),
        ([A, correlation_data(["a"], id=TWO)], {"inactive": [ONE, TWO]}, {}, (0, 2)),
    ],
)
def test_bases_load_and_alert_only_where_they_should(
    documents: list[Any], how: dict[str, Any], rules: dict[str, bool], left: tuple[int, int]
) -> None:
    found = ruleset(*documents, **how)
    assert {rule.card.title: rule.alerts for rule in found.rules} == rules
    assert (found.below_level, found.inactive) == left
    assert len(found.rules) + len(found.correlations) + sum(left) == len(documents)


def test_what_an_outer_one_needs_is_loaded_below_the_level() -> None:
    inner, outer = correlation_data(["a"], name="many"), correlation_data(["many"], level="high", title="outer")
    found = ruleset(A, inner, outer, min_level=Level.HIGH)
    assert [one.card.title for one in found.correlations] == ["a correlation", "outer"]
    assert found.below_level == 0


def test_correlations_are_part_of_the_snapshot() -> None:
    plain, one = ruleset(A, B), ruleset(A, B, correlation_data(["a"]))
    other, moved = ruleset(A, B, correlation_data(["a"], timespan="6m")), ruleset(A, {**B, "name": "c"})
    ids = {compile_snapshot(found).id for found in (plain, one, other, moved)}
    assert len(ids) == 4
    assert one.correlations[0].card.id in compile_snapshot(one).cards


def test_the_example_of_the_specification() -> None:
    security = {"product": "windows", "service": "security"}
    found = ruleset(
        correlation_data(["multiple_failed_login", "successful_login"], "temporal_ordered", title="last", level="high"),
        correlation_data(["failed_login"], name="multiple_failed_login", condition={"gte": 10}),
        rule_data({"sel": {"EventID": [529, 4625]}}, security, name="failed_login", title="failed"),
        rule_data({"sel": {"EventID": [528, 4624]}}, security, name="successful_login", title="successful"),
    )
    assert not found.refused
    assert [rule.alerts for rule in found.rules] == [False, False]
    snapshot = compile_snapshot(found)
    many, last = found.correlations
    assert snapshot.above[many.card.id] == (many.card.id, last.card.id)
    assert snapshot.above[last.card.id] == (last.card.id,)
