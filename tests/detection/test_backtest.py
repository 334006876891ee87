"""A rule over events of the past: counted by day and source, samples bounded, cost measured by the clock handed in."""

from itertools import count

from detection_rules.backtest import SAMPLES, Backtest
from tests.detection.fakes import group, rule_data, snapshot

DAY = 86_400_000_000
AT = 1_790_000_000_000_000
RULE = rule_data({"sel": {"F": "bad"}})


def test_hits_are_counted_by_day_and_source():
    test = Backtest(snapshot(RULE), lambda: 0.0)
    for day, source, values in ((0, "a", "bad good bad"), (1, "b", "bad"), (1, "a", "good")):
        events = [{"F": value} for value in values.split()]
        test.add(
            group(events), [f"{day}{source}{i}" for i in range(len(events))], [AT + day * DAY] * len(events), source
        )
    rule = test.report().rules[0]
    assert (rule.hits, rule.by_source) == (3, {"a": 2, "b": 1})
    assert list(rule.by_day.values()) == [2, 1]
    assert [sample.event_id for sample in rule.samples] == ["0a0", "0a2", "1b0"]
    assert rule.samples[0].matched == {"F": "bad"}


def test_samples_are_bounded_and_say_nothing_where_values_are_not_wanted():
    test = Backtest(snapshot(RULE), lambda: 0.0, values=False)
    many = 3 * SAMPLES
    test.add(group([{"F": "bad"}] * many), [str(i) for i in range(many)], [AT] * many, "s")
    rule = test.report().rules[0]
    assert (rule.hits, len(rule.samples)) == (many, SAMPLES)
    assert all(sample.matched == {} for sample in rule.samples)


def test_unparsed_events_are_decided_by_their_text():
    test = Backtest(snapshot(rule_data({"sel": ["needle"]})), lambda: 0.0)
    events = group([{}, {}], raws=[b"\xff a needle", b"nothing"], unparsed={0: "broken", 1: "broken"})
    test.add(events, ["x", "y"], [AT, AT], "s")
    found = test.report()
    assert (found.hits, found.unparsed) == (1, 2)
    assert [sample.event_id for sample in found.rules[0].samples] == ["x"]


def test_cost_is_that_of_deciding():
    ticks = count()
    test = Backtest(snapshot(RULE), lambda: float(next(ticks)))
    for _ in range(3):
        test.add(group([{"F": "x"}]), ["e"], [AT], "s")
    assert (test.report().events, test.report().cpu_s) == (3, 3.0)
