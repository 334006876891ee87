"""What correlation rules find in a list of events, read straight from the specification: no partials, no caches.

One second is the resolution: an event counts by the second it falls in, and a window is that many whole seconds.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from soc_model.correlation import SAMPLES, Correlation, CorrelationType, Operator

SECOND_US = 1_000_000
COMPARE = {
    Operator.LT: lambda a, b: a < b,
    Operator.LTE: lambda a, b: a <= b,
    Operator.GT: lambda a, b: a > b,
    Operator.GTE: lambda a, b: a >= b,
    Operator.EQ: lambda a, b: a == b,
    Operator.NEQ: lambda a, b: a != b,
}
PRESENCE = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
GROWING = (CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT, CorrelationType.VALUE_SUM, *PRESENCE)


class Event(NamedTuple):
    """An event that a base rule matched, with the fields a correlation may ask for."""

    at: int
    id: str
    rule: str
    unit: str
    fields: tuple[tuple[str, str], ...]

    @property
    def second(self) -> int:
        return self.at // SECOND_US

    def get(self, name: str) -> str | None:
        return dict(self.fields).get(name)


class Found(NamedTuple):
    """An episode, as far as it follows from the events."""

    rule: str
    unit: str
    group: tuple[str, ...]
    start: int
    held: int
    last: int
    count: int
    counts: tuple[tuple[str, int], ...]
    figure: float


def found_by(rules: Sequence[Correlation], events: Sequence[Event]) -> list[Found]:
    """All episodes of the rules, those that build on others included."""
    known = {rule.id: rule for rule in rules}
    done: dict[str, list[Found]] = {}
    while len(done) < len(known):
        for rule in rules:
            lower = [known[base] for base in rule.rules if base in known]
            if rule.id not in done and all(one.id in done for one in lower):
                firings = [firing(one, each) for one in lower for each in done[one.id]]
                done[rule.id] = found(rule, [*events, *firings])
    return sorted(one for each in done.values() for one in each)


def firing(rule: Correlation, one: Found) -> Event:
    """An episode as an event of a correlation that builds on its rule."""
    fields = tuple(zip(rule.group_by, one.group, strict=True))
    return Event(one.held, f"{one}", rule.id, one.unit, fields)


def found(rule: Correlation, events: Iterable[Event]) -> list[Found]:
    """The episodes of one rule."""
    groups: dict[tuple[str, tuple[str, ...]], list[Event]] = {}
    for event in events:
        values = [event.get(rule.field_of(event.rule, name)) for name in rule.group_by]
        if event.rule in rule.rules and None not in values:
            groups.setdefault((event.unit, tuple(map(str, values))), []).append(event)
    return [
        episode(rule, unit, group, windows, held)
        for (unit, group), own in groups.items()
        for windows, held in spells(rule, sorted(own))
    ]


def spells(rule: Correlation, events: list[Event]) -> list[tuple[list[Event], int]]:
    """The events of each maximal run of overlapping windows that hold, and when the first of these held."""
    span = rule.timespan_s
    if not grows(rule):
        return laid(rule, events)
    ends = sorted({event.second for event in events if holds(rule, inside(events, event.second - span + 1, span))})
    runs: list[list[int]] = []
    for end in ends:
        if runs and end - runs[-1][-1] < span:
            runs[-1].append(end)
        else:
            runs.append([end])
    result = []
    for run in runs:
        own = [event for event in events if any(end - span < event.second <= end for end in run)]
        result.append((own, max(event.at for event in events if event.second == run[0])))
    return result


def laid(rule: Correlation, events: list[Event]) -> list[tuple[list[Event], int]]:
    """The same for what more events can undo: windows end to end, each beginning with the next event."""
    result, begin = [], events[0].second
    while left := [event for event in events if event.second >= begin]:
        first = left[0].second
        own = inside(events, first, rule.timespan_s)
        begin = first + rule.timespan_s
        if holds(rule, own):
            result.append((own, begin * SECOND_US - 1))
    return result


def inside(events: list[Event], first: int, span: int) -> list[Event]:
    return [event for event in events if first <= event.second < first + span]


def grows(rule: Correlation) -> bool:
    return rule.type in GROWING and all(operator in (Operator.GT, Operator.GTE) for operator, _ in rule.conditions)


def holds(rule: Correlation, events: list[Event]) -> bool:
    value = figure(rule, events)
    if value is None:
        return False
    if rule.type is CorrelationType.TEMPORAL and not rule.conditions:
        return value == len(set(rule.rules))
    if rule.type is CorrelationType.TEMPORAL_ORDERED and not rule.conditions:
        return value == len(rule.rules)
    return all(COMPARE[operator](value, limit) for operator, limit in rule.conditions)


def figure(rule: Correlation, events: list[Event]) -> float | None:
    """What the events come to; None for numbers that are not there."""
    values = [[event.get(rule.field_of(event.rule, name)) for name in rule.fields] for event in events]
    whole = [tuple(value) for value in values if None not in value]
    numbers = sorted(float(value[0]) for value in values if value and value[0] is not None and is_number(value[0]))
    plain: dict[CorrelationType, float | None] = {
        CorrelationType.EVENT_COUNT: len(events),
        CorrelationType.VALUE_COUNT: len(set(whole)),
        CorrelationType.TEMPORAL: len({event.rule for event in events}),
        CorrelationType.VALUE_SUM: sum(numbers) if numbers else None,
        CorrelationType.VALUE_AVG: sum(numbers) / len(numbers) if numbers else None,
    }
    if rule.type in plain:
        return plain[rule.type]
    if rule.type is CorrelationType.TEMPORAL_ORDERED:
        return longest_chain(rule, events)
    share = rule.percentile / 100 if rule.type is CorrelationType.VALUE_PERCENTILE else 0.5
    enough = [number for rank, number in enumerate(numbers, 1) if rank >= share * len(numbers) - 1e-9]
    return enough[0] if enough else None


def is_number(value: str) -> bool:
    try:
        return abs(float(value)) < float("inf")
    except ValueError:
        return False


def longest_chain(rule: Correlation, events: list[Event]) -> int:
    """The most base rules, in their order, whose events each come strictly after the one before."""
    steps = range(len(rule.rules))
    choices = (chosen for n in range(len(rule.rules), 0, -1) for chosen in itertools.combinations(steps, n))
    return next((len(chosen) for chosen in choices if is_chain([rule.rules[i] for i in chosen], events)), 0)


def is_chain(rules: list[str], events: list[Event]) -> bool:
    at = -1
    for rule in rules:
        later = [event.at for event in tellable(events) if event.rule == rule and event.at > at]
        if not later:
            return False
        at = min(later)
    return True


def tellable(events: list[Event]) -> list[Event]:
    """The events whose times a correlation can know: of each rule and second the first few and the last."""
    by_second: dict[tuple[str, int], list[Event]] = {}
    for event in sorted(events):
        by_second.setdefault((event.rule, event.second), []).append(event)
    return [event for each in by_second.values() for event in {*each[:SAMPLES], each[-1]}]


def episode(rule: Correlation, unit: str, group: tuple[str, ...], events: list[Event], held: int) -> Found:
    plain = CorrelationType.TEMPORAL if rule.type is CorrelationType.TEMPORAL_ORDERED else rule.type
    value = figure(Correlation(**{**as_dict(rule), "type": plain}), events)
    times = [event.at for event in events]
    by_rule = sorted({event.rule for event in events})
    counts = tuple((name, sum(event.rule == name for event in events)) for name in by_rule)
    return Found(rule.id, unit, group, min(times), held, max(times), len(events), counts, float(value or 0))


def as_dict(rule: Correlation) -> dict[str, object]:
    return {name: getattr(rule, name) for name in rule.__struct_fields__}
