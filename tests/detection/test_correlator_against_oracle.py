"""The correlator and the oracle find the same, in whatever order, batches, repetitions and restarts events come."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc_model.correlation import Correlation, CorrelationType, Operator
from tests.detection.emitting import Fed, at, outcome
from tests.detection.sequence_oracle import SECOND_US, Event, found_by

GRACE_S = 3
SPANS = st.integers(1, 8)
LIMITS = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 7.0])
GROWING = st.tuples(st.sampled_from([Operator.GT, Operator.GTE]), LIMITS)
ANY = st.tuples(st.sampled_from(Operator), LIMITS)


class Stream(NamedTuple):
    rules: list[Correlation]
    batches: list[list[Event]]
    received: list[int]


def events() -> st.SearchStrategy[list[Event]]:
    one = st.tuples(
        st.integers(0, 24),
        st.sampled_from([0, 1, 100_000, 500_000, 999_999]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["u1", "u1", "u2"]),
        st.sampled_from(["x", "x", "y"]),
        st.sampled_from(["0", "1", "1", "2", "2.5", "5", "none", None]),
    )
    return (
        st.integers(0, 50)
        .flatmap(lambda n: st.lists(one, min_size=n, max_size=n))
        .map(
            lambda drawn: [
                Event(at(second) + micros, f"e{n}", rule, unit, fields(group, value, rule))
                for n, (second, micros, rule, unit, group, value) in enumerate(drawn)
            ]
        )
    )


def fields(group: str, value: str | None, rule: str) -> tuple[tuple[str, str], ...]:
    named = "user" if rule != "c" else "account"
    return ((named, group),) if value is None else ((named, group), ("n", value))


@st.composite
def rules(draw: st.DrawFn, kind: CorrelationType | None) -> list[Correlation]:
    chosen = kind or draw(st.sampled_from([CorrelationType.EVENT_COUNT, CorrelationType.TEMPORAL]))
    presence = chosen in (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
    own = Correlation(
        id="k",
        type=chosen,
        rules=tuple(draw(st.lists(st.sampled_from("abc"), min_size=1 + presence, max_size=3, unique=True))),
        group_by=draw(st.sampled_from([("who",), ()])),
        aliases={"who": {"a": "user", "b": "user", "c": "account", "k": "who"}},
        timespan_s=draw(SPANS),
        conditions=tuple(draw(st.lists(draw(st.sampled_from([GROWING, ANY])), min_size=not presence, max_size=2))),
        fields=("n",) if chosen.value.startswith("value") else (),
        percentile=draw(st.sampled_from([1.0, 50.0, 90.0])),
    )
    if kind is not None:
        return [own]
    upper = Correlation(
        id="upper",
        type=draw(st.sampled_from([CorrelationType.TEMPORAL_ORDERED, CorrelationType.TEMPORAL])),
        rules=draw(st.sampled_from([("k", "b"), ("a", "k")])),
        group_by=own.group_by,
        aliases=own.aliases,
        timespan_s=draw(SPANS),
    )
    return [own, upper]


def in_time(arriving: list[tuple[Event, int]]) -> list[list[tuple[Event, int]]]:
    """The same in parts, each of which is received before its first event is later than the grace."""
    parts: list[list[tuple[Event, int]]] = []
    for event, delay in arriving:
        if not parts or event.at + delay - min(one.at for one, _ in parts[-1]) > GRACE_S * SECOND_US:
            parts.append([])
        parts[-1].append((event, delay))
    return parts


@st.composite
def streams(draw: st.DrawFn, kind: CorrelationType | None) -> Stream:
    """Events in an order in which none is later than the grace, cut into batches."""
    plain = draw(events())
    late = draw(st.lists(st.integers(0, GRACE_S * SECOND_US), min_size=len(plain), max_size=len(plain)))
    arriving = sorted(zip(plain, late, strict=True), key=lambda pair: pair[0].at + pair[1])
    cuts = [0, *sorted(draw(st.lists(st.integers(0, len(plain)), max_size=12))), len(plain)]
    parts = [part for begin, end in pairwise(cuts) for part in in_time(arriving[begin:end])]
    received = [max(event.at + delay for event, delay in part) for part in parts]
    return Stream(draw(rules(kind)), [[event for event, _ in part] for part in parts], received)


def check(stream: Stream) -> None:
    fed = Fed(grace_s=GRACE_S)
    for offset, (batch, received) in enumerate(zip(stream.batches, stream.received, strict=True), 1):
        one = outcome(offset, stream.rules, batch, received)
        fed.feed(one)
        fed.restart()
        fed.feed(one)
    fed.finish()
    assert fed.found() == found_by(stream.rules, [event for batch in stream.batches for event in batch])
    silent = {rule.id for rule in stream.rules for upper in stream.rules if rule.id in upper.rules}
    told = [one for one in fed.episodes.values() if one.rule_id not in silent]
    assert fed.counts == {key: sum(one.count for one in told if one.key == key) for key in {one.key for one in told}}


# 9 kinds (None: two correlations, one built on the other) of 112 streams are a thousand.
@pytest.mark.parametrize("kind", [*CorrelationType, None])
@given(st.data())
@settings(max_examples=112, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_equal_episodes(kind: CorrelationType | None, data: st.DataObject) -> None:
    check(data.draw(streams(kind)))
