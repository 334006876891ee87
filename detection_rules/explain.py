"""Why a rule fired on an event: for each field that it looked at and found, the value that it found.

Computed only for events that fired, by asking the rule's whole condition again.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from detection_rules.condition import AllOf, AnyOf, Node, Not, predicates_of
from detection_rules.engine import Engine
from detection_rules.predicate import Column, elements, text_of
from soc_model.event import EventType

VALUE_CHARS = 512


def explain(engine: Engine, rule: int, event: dict[str, Any], event_type: EventType) -> dict[str, str]:
    """Field -> value, each cut to ``VALUE_CHARS``; what a rule only found missing has no value and is not there."""
    held = dict(event_type.constants) | event
    for variant in engine.rules[rule].variants:
        if variant.logsource.covers(event_type.logsource):
            present = _present(engine, variant.condition, held)
            if variant.condition.holds(present):
                return dict(_matched(engine, evidence(variant.condition, present), held))
    return {}


def evidence(node: Node, present: frozenset[int]) -> frozenset[int]:
    """The true predicates that ``node`` holds by; those under a negation are no evidence."""
    match node:
        case Not():
            return frozenset()
        case AllOf():
            return node.preds.union(*(evidence(part, present) for part in node.parts))
        case AnyOf():
            holding = (evidence(part, present) for part in node.parts if part.holds(present))
            return (node.preds & present).union(*holding)


def _present(engine: Engine, node: Node, event: dict[str, Any]) -> frozenset[int]:
    columns = {engine.column_of(number) for number in predicates_of(node)}
    return frozenset().union(*(engine.column_class(column, event) for column in columns))


def _matched(engine: Engine, numbers: Iterable[int], event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    by_column: dict[Column, set[int]] = {}
    for number in sorted(numbers):
        by_column.setdefault(engine.column_of(number), set()).add(number)
    for column, asked in by_column.items():
        names = column if isinstance(column, tuple) else (event if column is None else (column,))
        for name in names:
            value = _value(engine, column, asked, event.get(name))
            if value is not None:
                yield name, value[:VALUE_CHARS]


def _value(engine: Engine, column: Column, asked: set[int], value: Any) -> str | None:
    """The first element that satisfies a predicate of those asked (of a compared pair, simply the first)."""
    for element in elements(value):
        if element is not None and (
            isinstance(column, tuple) or not asked.isdisjoint(engine.column_class_of(column, element))
        ):
            return text_of(element)
    return None
