"""A rule or filter document to pySigma's objects, with our modifier table in place of pySigma's.

Errors name the detection and field they are in. Nothing here asks the network or keeps a cache.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sigma.exceptions import SigmaError
from sigma.modifiers import SigmaRegularExpressionModifier
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaLogSource
from sigma.rule.base import SigmaRuleBase
from sigma.types import SigmaString, SigmaType, sigma_type

from detection_rules.placeholders import Expand, read_text
from detection_rules.sigma_modifiers import Modifiers
from soc_model.source import Logsource

SCALARS = (str, int, float, bool, type(None))
#: What a filter says of the rules that it is for: all that its logsource takes in.
ANY = "any"

T = TypeVar("T")


class RuleError(Exception):
    """Why one document is no rule that can be evaluated, without its place."""


class RuleHead(SigmaRuleBase):
    """What every document says of itself: title, id, name, level and the like."""

    @classmethod
    def from_dict(cls, rule: dict[str, Any], collect_errors: bool = False) -> "RuleHead":
        """The head; raises ``SigmaError`` or ``RuleError`` with the reason, one at a time."""
        common, _ = cls.from_dict_common_params(rule)
        if rule.get("taxonomy", "sigma") != "sigma":
            raise RuleError(f"taxonomy {rule['taxonomy']!r} is not known here")
        return cls(**common)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRule:
    """A rule as its author wrote it: pySigma's common attributes, logsource, detections by name, conditions."""

    head: RuleHead
    logsource: Logsource
    detections: dict[str, SigmaDetection]
    conditions: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFilter:
    """A filter (specification 2.1, Sigma Filters): what more must hold where one of ``rules`` is to fire.

    ``rules`` are ids and names, or ``ANY`` alone.
    """

    head: RuleHead
    logsource: Logsource
    rules: tuple[str, ...]
    detections: dict[str, SigmaDetection]
    condition: str


def parse_rule(data: dict[str, Any], modifiers: Modifiers) -> ParsedRule:
    """The parsed rule; raises ``RuleError`` with the reason."""
    if "action" in data:
        raise RuleError("collections by 'action' are not part of Sigma 2")
    return told(lambda: _rule(data, modifiers))


def parse_filter(data: dict[str, Any], modifiers: Modifiers) -> ParsedFilter:
    """The parsed filter; raises ``RuleError`` with the reason."""
    return told(lambda: _filter(data, modifiers))


def told(parse: Callable[[], T]) -> T:
    """What ``parse`` gives; whatever pySigma raises on the way becomes a ``RuleError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a regular expression that Python warns of means something else elsewhere
            return parse()
    except (SigmaError, Warning, OverflowError, RecursionError) as error:
        raise RuleError(_reason(error)) from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # pySigma on values it never expects
        raise RuleError(f"malformed: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _rule(data: dict[str, Any], modifiers: Modifiers) -> ParsedRule:
    head, logsource = RuleHead.from_dict(data), _logsource(data)
    section = data.get("detection")
    if not isinstance(section, Mapping):
        raise RuleError("no detection")
    condition = section.get("condition")
    conditions: list[Any] = condition if isinstance(condition, list) else [condition]
    if not conditions or not all(isinstance(text, str) for text in conditions):
        raise RuleError("no condition")
    detections = _detections(section, {"condition"}, modifiers)
    return ParsedRule(head=head, logsource=logsource, detections=detections, conditions=conditions)


def _filter(data: dict[str, Any], modifiers: Modifiers) -> ParsedFilter:
    head, logsource = RuleHead.from_dict(data), _logsource(data)
    section = data["filter"]
    if not isinstance(section, Mapping):
        raise RuleError("filter: not a mapping")
    condition = section.get("condition")
    if not isinstance(condition, str):
        raise RuleError("filter: no condition, which is one text")
    rules = _filtered(section.get("rules"))
    detections = _detections(section, {"condition", "rules"}, modifiers)
    return ParsedFilter(head=head, logsource=logsource, rules=rules, detections=detections, condition=condition)


def _filtered(rules: Any) -> tuple[str, ...]:
    names = [rules] if isinstance(rules, str) else rules
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise RuleError(f"filter.rules: neither {ANY!r} nor a list of ids or names of rules")
    return (ANY,) if [name.lower() for name in names] == [ANY] else tuple(names)


def _logsource(data: dict[str, Any]) -> Logsource:
    logsource = data.get("logsource")
    if not isinstance(logsource, Mapping):
        raise RuleError("no logsource")
    found = SigmaLogSource.from_dict(dict(logsource))
    return Logsource(product=found.product or "", category=found.category or "", service=found.service or "")


def _detections(section: Mapping[Any, Any], other: set[str], modifiers: Modifiers) -> dict[str, SigmaDetection]:
    names = [name for name in section if name not in other]
    if not names:
        raise RuleError("no detections")
    return {str(name): _detection(str(name), section[name], modifiers) for name in names}


def _detection(place: str, definition: Any, modifiers: Modifiers) -> SigmaDetection:
    if isinstance(definition, Mapping):
        return SigmaDetection([_item(place, key, value, modifiers) for key, value in definition.items()])
    if isinstance(definition, SCALARS):
        return SigmaDetection([_item(place, None, definition, modifiers)])
    if not isinstance(definition, list):
        raise RuleError(f"{place}: a {type(definition).__name__} is no detection")
    if all(isinstance(item, SCALARS) for item in definition):
        return SigmaDetection([_item(place, None, definition, modifiers)])
    return SigmaDetection([_detection(place, item, modifiers) for item in definition])


def _item(place: str, key: Any, value: Any, modifiers: Modifiers) -> SigmaDetectionItem:
    """One ``field|modifiers: values``; a key of None or with an empty field is a keyword search."""
    name, *ids = str(key).split("|") if key is not None else [""]
    at = f"{place}: {key}" if key is not None else place
    unknown = [id_ for id_ in ids if id_ not in modifiers]
    if unknown:
        raise RuleError(f"{at}: unknown modifier {unknown[0]!r}")
    chosen = [modifiers[id_] for id_ in ids]
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, SCALARS) for one in values):
        raise RuleError(f"{at}: a value is neither text, number, truth value nor null")
    is_regex = SigmaRegularExpressionModifier in chosen
    expands = any(issubclass(kind, Expand) for kind in chosen)
    try:
        typed = [_typed(one, is_regex=is_regex, expands=expands) for one in values]
        return SigmaDetectionItem(name or None, chosen, typed)
    except SigmaError as error:
        raise RuleError(f"{at}: {_reason(error)}") from error


def _typed(value: Any, *, is_regex: bool, expands: bool) -> SigmaType:
    if not isinstance(value, str):
        return sigma_type(value)
    if is_regex:
        return SigmaString.from_str(value)
    return read_text(value) if expands else sigma_type(value)
