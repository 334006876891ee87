"""A correlation document (specification 2.1, Sigma Correlation Rules) to what it asks for, references not yet resolved.

Beyond the specification, as pySigma has it: ``value_median``, ``percentile`` (of 100; 50 where none is given), spans of
weeks, months and years. The pySigma extension of conditions written as text is refused. A condition with ``lt``,
``lte``, ``eq`` or ``neq`` is asked of groups that have events: none at all is no group.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from detection_rules.sigma_parse import RuleError, RuleHead, told
from soc_model.correlation import CorrelationType, Operator

_SECTION = {"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952}
_TIMESPAN = re.compile(r"([0-9]{1,9})([smhdwMy])")
_TEMPORAL = {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}
MAX_SPAN_S = 10 * _SECONDS["y"]
MAX_RULES = 100
MAX_FIELDS = 16

Conditions = tuple[tuple[Operator, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCorrelation:
    """A correlation as its author wrote it; ``rules`` and the keys within ``aliases`` are ids or names."""

    head: RuleHead
    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: dict[str, dict[str, str]]
    timespan_s: int
    conditions: Conditions
    fields: tuple[str, ...]
    percentile: float
    generate: bool


def parse_correlation(data: dict[str, Any]) -> ParsedCorrelation:
    """The parsed correlation; raises ``RuleError`` with the reason."""
    return told(lambda: _parse(data))


def _parse(data: dict[str, Any]) -> ParsedCorrelation:
    head, section = RuleHead.from_dict(data), data["correlation"]
    if not isinstance(section, Mapping):
        raise RuleError("correlation: not a mapping")
    unknown = sorted(str(key) for key in section if key not in _SECTION)
    if unknown:
        raise RuleError(f"correlation.{unknown[0]}: not part of Sigma 2.1")
    kind, rules = _kind(section.get("type")), _texts(section, "rules", MAX_RULES)
    if not rules:
        raise RuleError("correlation.rules: names no rule")
    condition = _condition(section.get("condition"), kind)
    return ParsedCorrelation(
        head=head,
        type=kind,
        rules=rules,
        group_by=_texts(section, "group-by", MAX_FIELDS),
        aliases=_aliases(section.get("aliases", {})),
        timespan_s=_timespan(section.get("timespan")),
        conditions=_conditions(condition, kind, len(rules)),
        fields=_fields(condition, kind),
        percentile=_percentile(condition, kind),
        generate=_generate(section.get("generate", data.get("generate", False))),
    )


def _kind(value: Any) -> CorrelationType:
    if value not in set(CorrelationType):
        raise RuleError(f"correlation.type: {value!r} is none of {', '.join(CorrelationType)}")
    return CorrelationType(value)


def _texts(section: Mapping[Any, Any], key: str, limit: int) -> tuple[str, ...]:
    value = section.get(key, [])
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise RuleError(f"correlation.{key}: neither a text nor a list of texts")
    twice = [one for one in found if found.count(one) > 1] if len(found) <= limit else []
    if twice:
        raise RuleError(f"correlation.{key}: {twice[0]!r} stands there twice")
    if len(found) > limit:
        raise RuleError(f"correlation.{key}: more than {limit}")
    return tuple(found)


def _aliases(value: Any) -> dict[str, dict[str, str]]:
    if not isinstance(value, Mapping):
        raise RuleError("correlation.aliases: not a mapping")
    for alias, fields in value.items():
        if not isinstance(fields, Mapping) or not all(isinstance(one, str) and one for one in fields.values()):
            raise RuleError(f"correlation.aliases.{alias}: not a mapping of rules to names of fields")
    return {str(alias): {str(rule): name for rule, name in fields.items()} for alias, fields in value.items()}


def _timespan(value: Any) -> int:
    found = _TIMESPAN.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= MAX_SPAN_S:
        raise RuleError(f"correlation.timespan: {value!r} is no span of time, as 30s, 5m, 1h or 7d")
    return seconds


def _condition(value: Any, kind: CorrelationType) -> Mapping[str, Any]:
    """The condition as a mapping; a temporal correlation needs none: all its rules must fire."""
    if value is None and kind in _TEMPORAL:
        return {}
    if isinstance(value, str):
        raise RuleError("correlation.condition: a condition written as text is not part of Sigma 2.1")
    if not isinstance(value, Mapping):
        raise RuleError("correlation.condition: not a mapping")
    unknown = sorted(str(key) for key in value if key not in {*Operator, "field", "percentile"})
    if unknown:
        raise RuleError(f"correlation.condition.{unknown[0]}: not part of Sigma 2.1")
    return value


def _conditions(condition: Mapping[str, Any], kind: CorrelationType, rules: int) -> Conditions:
    found = tuple((operator, _number(condition, operator)) for operator in Operator if operator in condition)
    if kind in _TEMPORAL and not condition:
        return ()
    if len(found) not in (1, 2):
        raise RuleError("correlation.condition: one comparison, or two for a range")
    if kind is CorrelationType.TEMPORAL_ORDERED and found not in (((Operator.GTE, rules),), ((Operator.EQ, rules),)):
        raise RuleError("correlation.condition: in order means all its rules; a temporal correlation may ask for fewer")
    return found


def _number(condition: Mapping[str, Any], key: str) -> float:
    value = condition[key]
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if isinstance(value, bool) or not isfinite(found):
        raise RuleError(f"correlation.condition.{key}: {value!r} is no number")
    return found


def _fields(condition: Mapping[str, Any], kind: CorrelationType) -> tuple[str, ...]:
    fields = _texts(condition, "field", MAX_FIELDS)
    if kind in {CorrelationType.EVENT_COUNT, *_TEMPORAL}:
        if fields:
            raise RuleError(f"correlation.condition.field: {kind} counts no values")
    elif not fields:
        raise RuleError(f"correlation.condition.field: {kind} needs one")
    elif len(fields) > 1 and kind is not CorrelationType.VALUE_COUNT:
        raise RuleError(f"correlation.condition.field: {kind} takes one")
    return fields


def _percentile(condition: Mapping[str, Any], kind: CorrelationType) -> float:
    if "percentile" not in condition:
        return 50.0
    if kind is not CorrelationType.VALUE_PERCENTILE:
        raise RuleError(f"correlation.condition.percentile: {kind} has none")
    found = _number(condition, "percentile")
    if not 0 <= found <= 100:
        raise RuleError("correlation.condition.percentile: not between 0 and 100")
    return found


def _generate(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RuleError("correlation.generate: neither true nor false")
    return value
