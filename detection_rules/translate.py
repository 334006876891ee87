"""pySigma's detections to conditions over numbered predicates.

Comes in: a detection as its author wrote it and the names that one kind of events has for the rule's fields. Goes out:
a ``Node``. What the engine cannot evaluate raises ``RuleError`` with the reason.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sigma.conditions import ConditionAND
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from detection_rules.condition import Node, all_of, any_of, negate, predicate
from detection_rules.predicate import (
    Cidr,
    Compare,
    Comparison,
    Exists,
    Null,
    Part,
    Predicate,
    Regex,
    SameAs,
    Side,
    Test,
    Text,
    TimePart,
    Unit,
    Wildcard,
)
from detection_rules.regex_check import check_regex
from detection_rules.sigma_parse import RuleError

#: The names events have for a field of the rule: several mean any of them, none that they cannot have it.
Names = Callable[[str], tuple[str, ...]]

_COMPARISONS = {
    CompareOperators.LT: Comparison.LT,
    CompareOperators.LTE: Comparison.LTE,
    CompareOperators.GT: Comparison.GT,
    CompareOperators.GTE: Comparison.GTE,
}
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: Wildcard.MANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}


@dataclass(slots=True)
class PredicateTable:
    """Every distinct predicate with its number, in the order of numbers."""

    numbers: dict[Predicate, int] = field(default_factory=dict)

    def number(self, asked: Predicate) -> int:
        """The predicate's number; the next free one when it is new."""
        return self.numbers.setdefault(asked, len(self.numbers))


def translate_detection(detection: SigmaDetection, names: Names, table: PredicateTable) -> Node | bool:
    """The condition that an event satisfies the detection."""
    nodes = [
        translate_detection(item, names, table)
        if isinstance(item, SigmaDetection)
        else _translate_item(item, names, table)
        for item in detection.detection_items
    ]
    return all_of(nodes) if detection.item_linking is ConditionAND else any_of(nodes)


def _translate_item(item: SigmaDetectionItem, names: Names, table: PredicateTable) -> Node | bool:
    values = item.value or [SigmaNull()]
    nodes: Iterable[Node | bool]
    if item.field is None:
        nodes = [_translate_keyword(value, table) for value in values]
    else:
        nodes = [_translate_value(item.field, value, names, table) for value in values]
    node = all_of(nodes) if item.value_linking is ConditionAND else any_of(nodes)
    return negate(node) if item.negated else node


def _translate_value(name: str, value: SigmaType, names: Names, table: PredicateTable) -> Node | bool:
    if isinstance(value, SigmaExpansion):
        return any_of([_translate_value(name, one, names, table) for one in value.values])
    if isinstance(value, SigmaFieldReference):
        pairs = [(here, there) for here in names(name) for there in names(value.field)]
        same = SameAs(_side(value), getattr(value, "cased", False))
        return any_of([_leaf(Predicate(pair, same), table) for pair in pairs])
    test = test_of(value)
    if isinstance(value, SigmaExists) and not value.exists:
        return all_of([negate(_leaf(Predicate(one, test), table)) for one in names(name)])
    if isinstance(value, SigmaNull):  # under none of its names
        return all_of([_leaf(Predicate(one, test), table) for one in names(name)])
    return any_of([_leaf(Predicate(one, test), table) for one in names(name)])


def _translate_keyword(value: SigmaType, table: PredicateTable) -> Node | bool:
    if isinstance(value, SigmaExpansion):
        return any_of([_translate_keyword(one, table) for one in value.values])
    if isinstance(value, SigmaNumber | SigmaBool) and not isinstance(value, SigmaTimestampPart):
        value = SigmaString.from_str(str(value))
    if not isinstance(value, SigmaString | SigmaRegularExpression | SigmaCIDRExpression):
        raise RuleError(f"a {type(value).__name__} cannot be searched for in all fields")
    test = test_of(value)
    if isinstance(test, Text):
        test = Text(merge_wildcards((Wildcard.MANY, *test.parts, Wildcard.MANY)), test.cased)
    return _leaf(Predicate(None, test), table)


def _leaf(asked: Predicate, table: PredicateTable) -> Node:
    return predicate(table.number(asked))


def _side(reference: SigmaFieldReference) -> Side:
    if reference.starts_with and reference.ends_with:
        return Side.INSIDE
    if reference.starts_with:
        return Side.START
    return Side.END if reference.ends_with else Side.WHOLE


def test_of(value: SigmaType) -> Test:
    """The test that one plain value stands for; raises ``RuleError`` for what cannot be asked of a value."""
    for kind, made in _TESTS:
        if isinstance(value, kind):
            return made(value)
    raise RuleError(f"values of type {type(value).__name__} cannot be evaluated")


def _text(value: SigmaString) -> Text:
    cased = isinstance(value, SigmaCasedString)
    return Text(merge_wildcards(_parts(value, cased=cased)), cased)


def _parts(value: SigmaString, *, cased: bool) -> Iterator[Part]:
    for part in value.s:
        if isinstance(part, Placeholder):  # none is left by expand, and nothing else makes one
            raise RuleError(f"placeholder %{part.name}% outside expand")
        if isinstance(part, SpecialChars):
            yield _WILDCARDS[part]
        elif not part.isprintable() and any("\ud800" <= c <= "\udfff" for c in part):
            raise RuleError("a value holds half a character (a lone surrogate)")
        elif part:
            yield part if cased else part.casefold()


def merge_wildcards(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts with texts side by side joined, and runs of ``*`` made one."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        elif part is not Wildcard.MANY or last is not Wildcard.MANY:
            merged.append(part)
    return tuple(merged)


def _regex(value: SigmaRegularExpression) -> Regex:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    reason = check_regex(value.to_plain(), flags)
    if reason:
        raise RuleError(f"regular expression {value.to_plain()!r}: {reason}")
    return Regex(value.to_plain(), flags)


def _compare(value: SigmaCompareExpression) -> Compare:
    if value.op not in _COMPARISONS:
        raise RuleError(f"comparison {value.op.name} cannot be evaluated")
    return Compare(_COMPARISONS[value.op], value.number.number)


#: How each of pySigma's types is asked for; a timestamp part is a number to pySigma, so it stands first.
_TESTS: tuple[tuple[type[SigmaType], Callable[[Any], Test]], ...] = (
    (SigmaString, _text),
    (SigmaTimestampPart, lambda value: TimePart(Unit(value.timestamp_part.name.lower()), int(value.number))),
    (SigmaNumber, lambda value: Text((str(value),))),
    (SigmaBool, lambda value: Text((str(value).lower(),))),
    (SigmaNull, lambda value: Null()),
    (SigmaExists, lambda value: Exists()),
    (SigmaRegularExpression, _regex),
    (SigmaCIDRExpression, lambda value: Cidr(value.network)),
    (SigmaCompareExpression, _compare),
)
