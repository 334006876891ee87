"""Correlation (关联分析) as data: what a correlation rule asks for, and what one batch adds to the answer.

detect folds the events of a base rule into *partials*, one for each group and second of event time; triage adds the
partials of many batches up. So a flood of 20,000 base events a second reaches triage as a few rows a batch. An outcome
carries the correlations its partials belong to, so triage needs no rule files.
"""

from enum import StrEnum

import msgspec

from soc_model.layer import Layer, Realm

#: Of each partial: events kept as samples (time, event id), and distinct values kept exactly.
SAMPLES = 8
EXACT_VALUES = 256


class CorrelationType(StrEnum):
    """What is asked of the events of one group within the time span (Sigma specification 2.1, correlation rules)."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"


class Operator(StrEnum):
    """How the figure of a group compares with the number of the condition."""

    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    EQ = "eq"
    NEQ = "neq"


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """One correlation rule; its card travels beside it under the same id.

    ``rules`` are the ids of its base rules in the order written, correlations among them. All ``conditions`` must hold.
    ``fields`` are those whose values are counted or reckoned with. ``aliases``: alias -> rule id -> its events' field.
    ``percentile`` is of 100, used by ``value_percentile`` alone. With ``generate`` base rules raise their own alerts.
    """

    id: str
    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    aliases: dict[str, dict[str, str]] = {}
    timespan_s: int
    conditions: tuple[tuple[Operator, float], ...] = ()
    fields: tuple[str, ...] = ()
    percentile: float = 50.0
    generate: bool = False

    def field_of(self, rule_id: str, name: str) -> str:
        """The field of the rule's events that ``name`` of ``group_by`` stands for."""
        return self.aliases.get(name, {}).get(rule_id, name)


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """What the events of one base rule, group and second of one batch come to for one correlation.

    ``group``: values in the order of ``group_by``; an event that lacks one of those fields takes no part. ``second`` is
    whole seconds of event time since the epoch. ``first`` and ``last``: event times in microseconds. ``samples``: the
    earliest (time, event id). ``values``: distinct values of ``fields`` with how often each came, texts joined by NUL;
    at most ``EXACT_VALUES``, and for more ``sketch`` holds what they are approximated by. ``total`` and ``numbers``:
    the sum and the count of those values of the first field that are numbers.
    """

    correlation: str
    rule: str
    layer: Layer
    unit: str
    realm: Realm
    source_id: str
    group: tuple[str, ...]
    second: int
    count: int
    first: int
    last: int
    samples: list[tuple[int, str]]
    entities: dict[str, str] = {}
    values: dict[str, int] = {}
    sketch: bytes = b""
    total: float = 0.0
    numbers: int = 0
