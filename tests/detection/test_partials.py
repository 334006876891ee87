"""Partials: what the events of a base rule come to by group and second, exact, bounded, and nothing lost."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_rules.detect import detect
from detection_rules.sketch import Distinct, Spread
from detection_rules.snapshot import Snapshot
from soc_model.correlation import EXACT_VALUES, SAMPLES, Partial
from soc_model.event import Located
from soc_model.outcome import Outcome
from soc_model.source import Logsource
from soc_store.outcome_log import decode_head, encode_outcome
from tests.detection.fakes import RECEIVED, SOURCE, correlation_data, group, located, rule_data, snapshot

BASE = rule_data({"sel": {"R": "a"}}, name="a", title="base")
S = 1_000_000


def at(events: list[dict[str, Any]], times: list[int] | None = None, **how: Any) -> Located:
    """Events at these seconds after the receipt."""
    found = located(group(events, **how))
    found.at[:] = [RECEIVED + int(second * S) for second in times or [0] * len(events)]
    return found


def outcome(compiled: Snapshot, *groups: Located) -> Outcome:
    return detect(groups, compiled, 7, RECEIVED)


def base(*values: str, **more: Any) -> list[dict[str, Any]]:
    """Events that fire the base rule, one for each group."""
    return [{"R": "a", "F": value, **more} for value in values]


def brief(partials: list[Partial]) -> list[tuple[Any, ...]]:
    return [(one.group, one.second - RECEIVED // S, one.count) for one in partials]


def test_events_are_counted_by_group_and_second() -> None:
    compiled = snapshot(BASE, correlation_data(["a"]))
    found = outcome(compiled, at(base("x", "y", "x", "x"), [0.1, 0.2, 0.9, 1.0]), at(base("x"), [0.5]))
    assert brief(found.partials) == [(("x",), 0, 3), (("y",), 0, 1), (("x",), 1, 1)]
    first = found.partials[0]
    assert (first.first - RECEIVED, first.last - RECEIVED) == (100_000, 900_000)
    assert [time - RECEIVED for time, _ in first.samples] == [100_000, 500_000, 900_000]
    assert (first.rule, first.unit, first.source_id) == (compiled.rules[0].card.id, "u1", "s1")


def test_a_base_rule_has_no_findings_of_its_own_unless_generate_says_so() -> None:
    silent, heard = snapshot(BASE, correlation_data(["a"])), snapshot(BASE, correlation_data(["a"], generate=True))
    events = at(base("x", "y"))
    assert [(len(one.findings), len(one.partials)) for one in (outcome(silent, events), outcome(heard, events))] == [
        (0, 2),
        (2, 2),
    ]
    assert [sum(stat.findings for stat in outcome(one, events).stats) for one in (silent, heard)] == [0, 2]


def test_the_outcome_carries_what_it_touches_and_all_that_builds_on_it() -> None:
    other = rule_data({"sel": {"R": "b"}}, name="b", title="other")
    compiled = snapshot(
        BASE,
        other,
        correlation_data(["a"], name="many", title="many"),
        correlation_data(["many", "b"], "temporal", title="outer"),
        correlation_data(["b"], title="apart"),
    )
    found = outcome(compiled, at(base("x")))
    assert {compiled.cards[one].title for one in found.correlations} == {"many", "outer"}
    bases = {base for one in found.correlations.values() for base in one.rules}
    assert found.cards.keys() == found.correlations.keys() | bases
    assert decode_head(encode_outcome(found).head).partials == found.partials
    assert outcome(compiled, at([{"R": "none"}])).correlations == {}


@pytest.mark.parametrize("missing", [{}, {"F": None}, {"F": ""}, {"F": []}])
def test_an_event_without_the_field_takes_no_part(missing: dict[str, Any]) -> None:
    compiled = snapshot(BASE, correlation_data(["a"]))
    assert outcome(compiled, at([{"R": "a", **missing}])).partials == []


def test_without_groups_everything_is_one() -> None:
    compiled = snapshot(BASE, correlation_data(["a"], group_by=[]))
    assert brief(outcome(compiled, at(base("x", "y"))).partials) == [((), 0, 2)]


def test_groups_are_header_columns_aliases_and_the_names_that_mapped_events_have() -> None:
    windows = {"product": "windows", "category": "process_creation"}
    rule = rule_data({"sel": {"Image|endswith": "cmd.exe"}}, windows, name="p")
    compiled = snapshot(rule, correlation_data(["p"], group_by=["host.name", "who"], aliases={"who": {"p": "Image"}}))
    constants = (("Channel", "Security"), ("EventID", "4688"))
    event = {**dict(constants), "NewProcessName": r"C:\cmd.exe"}
    one = at([event], logsource=Logsource(product="windows"), constants=constants, header={"host.name": ["pc"]})
    assert "NewProcessName" in (compiled.wanted(one.group.type) or ())
    assert [found.group for found in outcome(compiled, one).partials] == [("pc", r"C:\cmd.exe")]


def test_sides_stay_apart() -> None:
    compiled = snapshot(BASE, correlation_data(["a"]))
    other = located(group(base("x")), source=msgspec.structs.replace(SOURCE, unit="u2"))
    assert sorted(one.unit for one in outcome(compiled, at(base("x")), other).partials) == ["u1", "u2"]


def test_fields_that_only_a_correlation_needs_are_wanted() -> None:
    compiled = snapshot(BASE, correlation_data(["a"], "value_count", condition={"field": "V", "gte": 2}))
    assert compiled.wanted(group([{}]).type) == {"R", "F", "V"}


@pytest.mark.parametrize(
    ("kind", "condition", "events", "values", "sum_of"),
    [
        ("value_count", {"field": "V"}, ["u", "v", "u", None], {"u": 2, "v": 1}, (0, 0)),
        ("value_count", {"field": ["V", "R"]}, ["u", 5], {"u\0a": 1, "5\0a": 1}, (0, 0)),
        ("value_sum", {"field": "V"}, [1, "2.5", "no", True], {}, (3.5, 2)),
        ("value_sum", {"field": "V"}, [[1, 2], "3"], {}, (6, 3)),
        ("value_avg", {"field": "V"}, [1, 2], {}, (3, 2)),
        ("value_median", {"field": "V"}, [1, "1", 1.5, 10**400], {"1": 2, "1.5": 1}, (3.5, 3)),
        ("value_percentile", {"field": "V", "percentile": 9}, [7], {"7": 1}, (7, 1)),
    ],
)
def test_values(
    kind: str, condition: dict[str, Any], events: list[Any], values: dict[str, int], sum_of: tuple[float, int]
) -> None:
    compiled = snapshot(BASE, correlation_data(["a"], kind, condition={**condition, "gte": 1}))
    [one] = outcome(compiled, at([{"R": "a", "F": "x", "V": value} for value in events])).partials
    assert (one.values, one.total, one.numbers, one.sketch) == (values, *sum_of, b"")


def test_many_values_become_a_sketch_that_covers_all_of_them() -> None:
    compiled = snapshot(
        BASE,
        correlation_data(["a"], "value_count", condition={"field": "V", "gte": 2}, title="count"),
        correlation_data(["a"], "value_median", condition={"field": "V", "gte": 2}, title="median"),
    )
    count = 3 * EXACT_VALUES
    events = [{"R": "a", "F": "x", "V": str(n)} for n in range(count)]
    counted, median = outcome(compiled, at(events)).partials
    assert (counted.values, median.values, counted.count) == ({}, {}, count)
    assert abs(Distinct.decode(counted.sketch).estimate() - count) < 0.05 * count
    assert Spread.decode(median.sketch).quantile(0.5) == pytest.approx(count / 2 - 1, rel=0.011)
    assert (Spread.decode(median.sketch).count, median.numbers) == (count, count)


@pytest.mark.parametrize("order", [1, -1])
def test_the_earliest_are_kept_as_samples(order: int) -> None:
    compiled = snapshot(BASE, correlation_data(["a"]))
    one = at(base(*"x" * 30), [n / 100 for n in range(30)][::order])
    [partial] = outcome(compiled, one).partials
    assert (partial.count, len(partial.samples)) == (30, SAMPLES)
    assert partial.samples == sorted(zip(one.at, one.event_ids, strict=True))[:SAMPLES]


def test_entities_are_those_of_the_first_event() -> None:
    compiled = snapshot(BASE, correlation_data(["a"]))
    one = at(base("x", "x"), header={"host.name": ["pc1", "pc2"], "user.name": [None, "eve"]})
    assert outcome(compiled, one).partials[0].entities == {"host.name": "pc1"}


def test_an_unparsed_record_has_no_fields_to_group_by() -> None:
    keyword = rule_data({"sel": ["evil"]}, name="k")
    compiled = snapshot(keyword, correlation_data(["k"]), correlation_data(["k"], group_by=[], title="all"))
    one = at([{"F": "x"}], unparsed={0: "broken"}, raws=[b"evil"])
    assert [partial.group for partial in outcome(compiled, one).partials] == [()]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from("xyz"), st.integers(0, 4)), max_size=40),
    st.integers(1, 5),
)
def test_however_events_are_cut_into_groups_all_are_counted(events: list[tuple[str, str, int]], size: int) -> None:
    parts = [events[start : start + size] for start in range(0, len(events), size)]
    groups = [at([{"R": r, "F": f} for r, f, _ in part], [second for _, _, second in part]) for part in parts]
    found = outcome(COUNTED, *groups)
    expected = Counter((f, second) for r, f, second in events if r == "a")
    assert {(one.group[0], one.second - RECEIVED // S): one.count for one in found.partials} == expected
    assert found.findings == []


COUNTED = snapshot(BASE, correlation_data(["a"]))
