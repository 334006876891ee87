"""A naive evaluator: a direct reading of the Sigma specification 2.1 over pySigma's own parsed rules.

It shares nothing with the engine but pySigma and its official pipelines: pySigma's modifiers, pySigma's condition
parser, the pipelines applied to each rule, one value asked at a time, no caches and no automata. Slow and plain.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.pipelines.sysmon.sysmon import sysmon_pipeline
from sigma.pipelines.windows.windows import windows_audit_pipeline, windows_logsource_pipeline
from sigma.rule import SigmaDetection, SigmaRule
from sigma.types import (
    CompareOperators,
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
    SpecialChars,
)

from soc_model.source import Logsource

ORDER = {
    CompareOperators.LT: lambda a, b: a < b,
    CompareOperators.LTE: lambda a, b: a <= b,
    CompareOperators.GT: lambda a, b: a > b,
    CompareOperators.GTE: lambda a, b: a >= b,
}
Event = dict[str, Any]


class Oracle:
    """One rule as it reads for the events of each logsource."""

    def __init__(
        self,
        data: dict[str, Any],
        *,
        filters: Sequence[dict[str, Any]] = (),
        placeholders: dict[str, list[str]] | None = None,
    ) -> None:
        self.readings = list(readings(data, filters, placeholders or {}))

    def fires(self, logsource: Logsource, event: Event) -> bool:
        """Whether the rule matches one parsed event."""
        return any(holds(tree, event) for stated, trees in self.readings if stated.covers(logsource) for tree in trees)

    def fires_on_text(self, logsource: Logsource, text: str) -> bool:
        """Whether the rule matches a record that could not be parsed: because of a keyword in its text."""
        trees = [tree for stated, trees in self.readings if stated.covers(logsource) for tree in trees]
        return any(holds(tree, {}, [text]) for tree in trees) and not any(holds(tree, {}, []) for tree in trees)


def readings(
    data: dict[str, Any], filters: Sequence[dict[str, Any]], placeholders: dict[str, list[str]]
) -> Iterator[tuple[Logsource, list[Any]]]:
    """(what an event's logsource must state, condition trees): the rule's own, and the official pipelines'."""
    own = read_rule(data, filters, placeholders)
    yield _logsource(own), _trees(own)
    if own.logsource.product != "windows":
        return
    channels = windows_logsource_pipeline()
    for pipeline in (channels, sysmon_pipeline() + channels, windows_audit_pipeline() + channels):
        rule = read_rule(data, filters, placeholders)
        before = len(rule.detection.detections)
        try:
            pipeline.apply(rule)
        except SigmaError:
            continue  # a field that these events cannot have
        if len(rule.detection.detections) > before:
            yield Logsource(product="windows"), _trees(rule)


def read_rule(data: dict[str, Any], filters: Sequence[dict[str, Any]], placeholders: dict[str, list[str]]) -> SigmaRule:
    """pySigma's rule, with its own filters applied and its own placeholder transformation over the site's lists."""
    rule = SigmaRule.from_dict(deepcopy(data) if filters else data)  # a filter changes the conditions in their list
    for one in filters:
        rule = SigmaFilter.from_dict(one).apply_on_rule(rule)
    for detection in rule.detection.detections.values():
        expand(detection, placeholders)
    return rule


def expand(detection: SigmaDetection, placeholders: dict[str, list[str]]) -> None:
    """Every value with placeholders becomes what any of its replacements is."""
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            expand(item, placeholders)
        else:
            item.value = [expanded(value, placeholders) for value in item.value]


def expanded(value: Any, placeholders: dict[str, list[str]]) -> Any:
    """A value, or the choice of those that it stands for."""
    if isinstance(value, SigmaExpansion):
        return SigmaExpansion([expanded(one, placeholders) for one in value.values])
    if not isinstance(value, SigmaString) or not value.contains_placeholder():
        return value
    cased = isinstance(value, SigmaCasedString)
    found = value.replace_placeholders(lambda one: map(SigmaString, placeholders.get(one.name, [])))
    return SigmaExpansion([SigmaCasedString.from_sigma_string(one) if cased else one for one in found])


def _logsource(rule: SigmaRule) -> Logsource:
    found = rule.logsource
    return Logsource(product=found.product or "", category=found.category or "", service=found.service or "")


def _trees(rule: SigmaRule) -> list[Any]:
    return [condition.parsed for condition in rule.detection.parsed_condition]


def holds(tree: Any, event: Event, texts: list[str] | None = None) -> bool:
    """Whether a condition holds; with ``texts`` the event has no fields and keywords are looked for in those."""
    match tree:
        case ConditionAND():
            return all(holds(part, event, texts) for part in tree.args)
        case ConditionOR():
            return any(holds(part, event, texts) for part in tree.args)
        case ConditionNOT():
            return not holds(tree.args[0], event, texts)
        case ConditionFieldEqualsValueExpression():
            if texts is not None:
                return isinstance(tree.value, SigmaExists) and not tree.value.exists
            return field_is(event, tree.field, tree.value)
        case ConditionValueExpression():
            return any(keyword_in(value, tree.value) for value in (values_of(event) if texts is None else texts))
    raise AssertionError(f"unknown condition {tree!r}")


def values_of(event: Event) -> Iterator[Any]:
    """Every value of the event, one by one."""
    for value in event.values():
        yield from value if isinstance(value, list) else [value]


def field_is(event: Event, name: str, wanted: Any) -> bool:
    """Whether any value of a field is as wanted."""
    if isinstance(wanted, SigmaExpansion):
        return any(field_is(event, name, one) for one in wanted.values)
    if isinstance(wanted, SigmaExists):
        return (name in event) == wanted.exists
    if isinstance(wanted, SigmaFieldReference):
        return compares(event, name, wanted)
    if name not in event:
        return isinstance(wanted, SigmaNull)
    value = event[name]
    return any(value_is(one, wanted) for one in (value if isinstance(value, list) else [value]))


def compares(event: Event, name: str, wanted: SigmaFieldReference) -> bool:
    """Whether a field's text and another field's text are alike."""
    pairs = [(a, b) for a in values_of({"": event.get(name)}) for b in values_of({"": event.get(wanted.field)})]
    texts = [(as_text(a).casefold(), as_text(b).casefold()) for a, b in pairs if a is not None and b is not None]
    if wanted.starts_with and wanted.ends_with:
        return any(b in a for a, b in texts)
    if wanted.starts_with:
        return any(a.startswith(b) for a, b in texts)
    if wanted.ends_with:
        return any(a.endswith(b) for a, b in texts)
    return any(a == b for a, b in texts)


def as_text(value: Any) -> str:
    """A value as rules compare it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def value_is(value: Any, wanted: Any) -> bool:
    """Whether one value is as wanted."""
    if isinstance(wanted, SigmaNull) or value is None:
        return isinstance(wanted, SigmaNull) and value is None
    if isinstance(wanted, SigmaCompareExpression):
        number = as_number(value)
        return number is not None and ORDER[wanted.op](number, wanted.number.number)
    for kind, asked in ASKED:
        if isinstance(wanted, kind):
            return asked(as_text(value), wanted)
    raise AssertionError(f"unknown value {wanted!r}")


def like(text: str, wanted: SigmaString, *, anywhere: bool = False) -> bool:
    """Whether a text is as a Sigma string says; case counts only for ``cased``."""
    cased = isinstance(wanted, SigmaCasedString)
    pattern = "".join(
        {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}.get(part)
        or re.escape(part if cased else part.casefold())
        for part in wanted.s
    )
    found = re.compile(pattern, re.DOTALL)
    text = text if cased else text.casefold()
    return (found.search(text) if anywhere else found.fullmatch(text)) is not None


def regex_in(text: str, wanted: SigmaRegularExpression) -> bool:
    """Whether a regular expression is found anywhere."""
    flags = re.ASCII
    for flag in wanted.flags:
        flags |= wanted.sigma_to_python_flags[flag]
    return re.search(wanted.to_plain(), text, flags) is not None


def in_network(text: str, wanted: SigmaCIDRExpression) -> bool:
    """Whether an address, or the IPv4 address inside it, is of a network."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None)
    return address in wanted.network or (inner is not None and inner in wanted.network)


def as_number(value: Any) -> float | None:
    """A value as a number, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    return float(value) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value) else None


def dated(text: str, wanted: SigmaTimestampPart) -> bool:
    """Whether a part of a date is as wanted."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return False
    name = wanted.timestamp_part.name.lower()
    part = when.isocalendar().week if name == "week" else getattr(when, name)
    return bool(part == wanted.number)


def keyword_in(value: Any, wanted: Any) -> bool:
    """Whether a keyword is found anywhere in one value."""
    if isinstance(wanted, SigmaExpansion):
        return any(keyword_in(value, one) for one in wanted.values)
    if value is None:
        return False
    if isinstance(wanted, SigmaString):
        return like(as_text(value), wanted, anywhere=True)
    if isinstance(wanted, SigmaNumber | SigmaBool):
        return str(wanted).casefold() in as_text(value).casefold()
    return value_is(value, wanted)


#: How each type is asked for; a timestamp part is a number to pySigma, so it stands first.
ASKED = (
    (SigmaString, like),
    (SigmaTimestampPart, dated),
    (SigmaNumber, lambda text, wanted: text.casefold() == str(wanted.number).casefold()),
    (SigmaBool, lambda text, wanted: text.casefold() == str(wanted.boolean).casefold()),
    (SigmaRegularExpression, regex_in),
    (SigmaCIDRExpression, in_network),
)
