"""Figures and conditions: what the events of a window come to, and whether that is what a correlation asks for.

Comes in: the tallies of a window, second by second, by rule. Goes out: one number, or None where there is none (an
average without numbers). The one thing to know: a figure *only grows* where more events can never undo what held: then
a window fires at once. Everything else is decided when its window is closed.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from detection_rules.correlation_tally import Tallies, number_of
from detection_rules.sketch import Distinct, Spread, exact_quantile
from soc_model.correlation import Correlation, CorrelationType, Operator

_PRESENCE = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
_GROWING_TYPES = (
    *_PRESENCE,
    CorrelationType.EVENT_COUNT,
    CorrelationType.VALUE_COUNT,
    CorrelationType.VALUE_SUM,
)
_GROWING_OPERATORS = (Operator.GT, Operator.GTE)


def conditions_of(correlation: Correlation) -> tuple[tuple[Operator, float], ...]:
    """Its conditions; without any, that every base rule is there, or that there is anything at all."""
    if correlation.conditions:
        return correlation.conditions
    enough = len(steps_of(correlation)) if correlation.type in _PRESENCE else 1
    return ((Operator.GTE, float(enough)),)


def steps_of(correlation: Correlation) -> Sequence[str]:
    """What must be there: in order each rule as often as it is written, else each once."""
    if correlation.type is CorrelationType.TEMPORAL_ORDERED:
        return correlation.rules
    return tuple(dict.fromkeys(correlation.rules))


def only_grows(correlation: Correlation) -> bool:
    """Whether no further event can undo that the condition holds of a window.

    Of a sum that shall exceed something, negative numbers therefore take no part.
    """
    operators = [operator for operator, _ in conditions_of(correlation)]
    return correlation.type in _GROWING_TYPES and all(operator in _GROWING_OPERATORS for operator in operators)


def holds(figure: float | None, conditions: Iterable[tuple[Operator, float]]) -> bool:
    """Whether all conditions hold of the figure; none holds of no figure."""
    return figure is not None and all(_COMPARE[operator](figure, limit) for operator, limit in conditions)


_COMPARE = {
    Operator.LT: lambda figure, limit: figure < limit,
    Operator.LTE: lambda figure, limit: figure <= limit,
    Operator.GT: lambda figure, limit: figure > limit,
    Operator.GTE: lambda figure, limit: figure >= limit,
    Operator.EQ: lambda figure, limit: figure == limit,
    Operator.NEQ: lambda figure, limit: figure != limit,
}


def figure_of(correlation: Correlation, seconds: Sequence[Tallies]) -> float | None:
    """What all events of these seconds come to."""
    return _FIGURES[correlation.type](correlation, seconds)


def enough(correlation: Correlation, latest_first: Iterable[Tallies]) -> bool:
    """Whether a condition that only grows holds of these seconds; looks at no more of them than needed."""
    conditions = conditions_of(correlation)
    if correlation.type in (CorrelationType.EVENT_COUNT, CorrelationType.VALUE_SUM):
        return _enough_added(correlation, latest_first)
    if correlation.type is CorrelationType.VALUE_COUNT:
        return _enough_distinct(correlation, latest_first)
    seconds = list(latest_first)
    if not correlation.conditions and len(_present(seconds)) < len(set(correlation.rules)):
        return False
    return holds(figure_of(correlation, seconds), conditions)


def _enough_added(correlation: Correlation, seconds: Iterable[Tallies]) -> bool:
    conditions, total = conditions_of(correlation), 0.0
    summed, found = correlation.type is CorrelationType.VALUE_SUM, False
    for second in seconds:
        for tally in second.values():
            found = found or not summed or tally.numbers > 0
            total += max(0.0, tally.total) if summed else tally.count
        if found and holds(total, conditions):
            return True
    return False


def _enough_distinct(correlation: Correlation, seconds: Iterable[Tallies]) -> bool:
    conditions, values, sketch = conditions_of(correlation), set[str](), None
    for second in seconds:
        for tally in second.values():
            values.update(tally.values)
            if isinstance(tally.sketch, Distinct):
                sketch = sketch or Distinct()
                sketch.merge(tally.sketch)
        if sketch is None and holds(len(values), conditions):
            return True
    return holds(_distinct_figure(values, sketch), conditions)


def _distinct_figure(values: Iterable[str], sketch: Distinct | None) -> float:
    if sketch is None:
        return len(set(values))
    for value in values:
        sketch.add(value)
    return sketch.estimate()


def _event_count(_: Correlation, seconds: Sequence[Tallies]) -> float | None:
    return sum(tally.count for second in seconds for tally in second.values())


def _value_count(_: Correlation, seconds: Sequence[Tallies]) -> float | None:
    values, sketch = set[str](), None
    for second in seconds:
        for tally in second.values():
            values.update(tally.values)
            if isinstance(tally.sketch, Distinct):
                sketch = sketch or Distinct()
                sketch.merge(tally.sketch)
    return _distinct_figure(values, sketch)


def _value_sum(correlation: Correlation, seconds: Sequence[Tallies]) -> float | None:
    least = 0.0 if only_grows(correlation) else float("-inf")
    tallies = [tally for second in seconds for tally in second.values() if tally.numbers]
    return sum(max(least, tally.total) for tally in tallies) if tallies else None


def _value_avg(_: Correlation, seconds: Sequence[Tallies]) -> float | None:
    tallies = [tally for second in seconds for tally in second.values()]
    numbers = sum(tally.numbers for tally in tallies)
    return sum(tally.total for tally in tallies) / numbers if numbers else None


def _quantile(correlation: Correlation, seconds: Sequence[Tallies]) -> float | None:
    share = correlation.percentile / 100 if correlation.type is CorrelationType.VALUE_PERCENTILE else 0.5
    counts, sketch = dict[float, int](), None
    for second in seconds:
        for tally in second.values():
            for value, n in tally.values.items():
                if (number := number_of(value)) is not None:
                    counts[number] = counts.get(number, 0) + n
            if isinstance(tally.sketch, Spread):
                sketch = sketch or Spread()
                sketch.merge(tally.sketch)
    if sketch is None:
        return exact_quantile(counts, share)
    for number, n in counts.items():
        sketch.add(number, n)
    return sketch.quantile(share)


def _temporal(_: Correlation, seconds: Sequence[Tallies]) -> float | None:
    return len(_present(seconds))


def _present(seconds: Sequence[Tallies]) -> set[str]:
    return set().union(*seconds)


def _temporal_ordered(correlation: Correlation, seconds: Sequence[Tallies]) -> float | None:
    """The most rules of which, in the order written, events followed each other: each strictly later than the one
    before, by the times that are known."""
    known: dict[str, set[int]] = {}
    for second in seconds:
        for rule, tally in second.items():
            known.setdefault(rule, set()).update(tally.times())
    times = {rule: sorted(found) for rule, found in known.items()}
    ends: list[float] = [float("-inf")]  # of the best chain of each length: when it ends, as early as can be
    for rule in correlation.rules:
        for length in range(len(ends), 0, -1):
            after = bisect_right(times.get(rule, ()), ends[length - 1])
            if after < len(times.get(rule, ())):
                end = times[rule][after]
                if length == len(ends):
                    ends.append(end)
                else:
                    ends[length] = min(ends[length], end)
    return len(ends) - 1


_FIGURES = {
    CorrelationType.EVENT_COUNT: _event_count,
    CorrelationType.VALUE_COUNT: _value_count,
    CorrelationType.TEMPORAL: _temporal,
    CorrelationType.TEMPORAL_ORDERED: _temporal_ordered,
    CorrelationType.VALUE_SUM: _value_sum,
    CorrelationType.VALUE_AVG: _value_avg,
    CorrelationType.VALUE_PERCENTILE: _quantile,
    CorrelationType.VALUE_MEDIAN: _quantile,
}
