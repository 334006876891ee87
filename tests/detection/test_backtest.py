"""A rule over events of the past: counted by day and source, samples bounded, cost measured by the clock handed in."""

from collections.abc import Sequence
from itertools import count

import msgspec

from detection_rules.backtest import SAMPLES, Backtest
from soc_model.event import EventGroup, Located
from tests.detection.fakes import SOURCE, group, located, rule_data, snapshot

DAY = 86_400_000_000
AT = 1_790_000_000_000_000
RULE = rule_data({"sel": {"F": "bad"}})
BASE = rule_data({"sel": {"F": "bad"}}, id="b0000000-0000-4000-8000-000000000001", name="base")
GUESSING = {
    "title": "many",
    "id": "b0000000-0000-4000-8000-000000000002",
    "level": "high",
    "correlation": {
        "type": "event_count",
        "rules": ["base"],
        "group-by": ["U"],
        "timespan": "1m",
        "condition": {"gte": 3},
    },
}


def seen(events: EventGroup, ids: Sequence[str], at: int, source: str = "s") -> Located:
    found = located(events, source=msgspec.structs.replace(SOURCE, id=source))
    found.event_ids, found.at = list(ids), [at] * len(events)
    return found


def test_hits_are_counted_by_day_and_source():
    test = Backtest(snapshot(RULE), lambda: 0.0)
    for day, source, values in ((0, "a", "bad good bad"), (1, "b", "bad"), (1, "a", "good")):
        events = [{"F": value} for value in values.split()]
        ids = [f"{day}{source}{i}" for i in range(len(events))]
        test.add(seen(group(events), ids, AT + day * DAY, source))
    rule = test.report().rules[0]
    assert (rule.hits, rule.by_source) == (3, {"a": 2, "b": 1})
    assert list(rule.by_day.values()) == [2, 1]
    assert [sample.event_id for sample in rule.samples] == ["0a0", "0a2", "1b0"]
    assert rule.samples[0].matched == {"F": "bad"}


def test_samples_are_bounded_and_say_nothing_where_values_are_not_wanted():
    test = Backtest(snapshot(RULE), lambda: 0.0, values=False)
    many = 3 * SAMPLES
    test.add(seen(group([{"F": "bad"}] * many), [str(i) for i in range(many)], AT))
    rule = test.report().rules[0]
    assert (rule.hits, len(rule.samples)) == (many, SAMPLES)
    assert all(sample.matched == {} for sample in rule.samples)


def test_unparsed_events_are_decided_by_their_text():
    test = Backtest(snapshot(rule_data({"sel": ["needle"]})), lambda: 0.0)
    events = group([{}, {}], raws=[b"\xff a needle", b"nothing"], unparsed={0: "broken", 1: "broken"})
    test.add(seen(events, ["x", "y"], AT))
    found = test.report()
    assert (found.hits, found.unparsed) == (1, 2)
    assert [sample.event_id for sample in found.rules[0].samples] == ["x"]


def test_cost_is_that_of_deciding():
    ticks = count()
    test = Backtest(snapshot(RULE), lambda: float(next(ticks)))
    for _ in range(3):
        test.add(seen(group([{"F": "x"}]), ["e"], AT))
    assert (test.report().events, test.report().cpu_s) == (3, 3.0)


def test_a_correlation_is_judged_when_all_is_read_in_whatever_order():
    test = Backtest(snapshot(BASE, GUESSING), lambda: 0.0)
    for second in (40, 0, 20, 4000):
        events = [{"F": "bad", "U": "u"}, {"F": "bad", "U": f"other {second}"}]
        test.add(seen(group(events), [f"{second}a", f"{second}b"], AT + second * 1_000_000))
    found = test.report()
    base, many = found.rules
    assert (base.hits, many.hits, found.evicted) == (8, 1, 0)
    assert (many.samples[0].event_id, many.samples[0].at, many.samples[0].matched["count"]) == ("0a", AT, "3")
