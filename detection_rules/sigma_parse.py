"""A rule document to pySigma's rule object, with our modifier table in place of pySigma's.

Errors name the detection and field they are in. Nothing here asks the network or keeps a cache.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigma.exceptions import SigmaError
from sigma.modifiers import SigmaRegularExpressionModifier
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaLogSource, SigmaRule
from sigma.types import SigmaString, sigma_type

from detection_rules.sigma_modifiers import MODIFIERS

SCALARS = (str, int, float, bool, type(None))


class RuleError(Exception):
    """Why one document is no rule that can be evaluated, without its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRule:
    """A rule as its author wrote it: pySigma's common attributes, logsource, detections by name, conditions."""

    head: SigmaRule
    logsource: SigmaLogSource
    detections: dict[str, SigmaDetection]
    conditions: list[str]


def parse_rule(data: dict[str, Any]) -> ParsedRule:
    """The parsed rule; raises ``RuleError`` with the reason."""
    for key in ("correlation", "filter"):
        if key in data:
            raise RuleError(f"{key} rules cannot be evaluated yet")
    if "action" in data:
        raise RuleError("collections by 'action' are not part of Sigma 2")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a regular expression that Python warns of means something else elsewhere
            return _parse(data)
    except (SigmaError, Warning, OverflowError, RecursionError) as error:
        raise RuleError(_reason(error)) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:  # pySigma on values of a type it never expects
        raise RuleError(f"malformed: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _parse(data: dict[str, Any]) -> ParsedRule:
    common, _ = SigmaRule.from_dict_common_params(data)
    if data.get("taxonomy", "sigma") != "sigma":
        raise RuleError(f"taxonomy {data['taxonomy']!r} is not known here")
    logsource = data.get("logsource")
    if not isinstance(logsource, Mapping):
        raise RuleError("no logsource")
    detections, conditions = _detections(data.get("detection"))
    source = SigmaLogSource.from_dict(dict(logsource))
    return ParsedRule(
        head=SigmaRule(logsource=source, **common), logsource=source, detections=detections, conditions=conditions
    )


def _detections(section: Any) -> tuple[dict[str, SigmaDetection], list[str]]:
    if not isinstance(section, Mapping):
        raise RuleError("no detection")
    condition = section.get("condition")
    conditions: list[Any] = condition if isinstance(condition, list) else [condition]
    if not conditions or not all(isinstance(text, str) for text in conditions):
        raise RuleError("no condition")
    names = [name for name in section if name != "condition"]
    if not names:
        raise RuleError("no detections")
    return {str(name): _detection(str(name), section[name]) for name in names}, conditions


def _detection(place: str, definition: Any) -> SigmaDetection:
    if isinstance(definition, Mapping):
        return SigmaDetection([_item(place, key, value) for key, value in definition.items()])
    if isinstance(definition, SCALARS):
        return SigmaDetection([_item(place, None, definition)])
    if not isinstance(definition, list):
        raise RuleError(f"{place}: a {type(definition).__name__} is no detection")
    if all(isinstance(item, SCALARS) for item in definition):
        return SigmaDetection([_item(place, None, definition)])
    return SigmaDetection([_detection(place, item) for item in definition])


def _item(place: str, key: Any, value: Any) -> SigmaDetectionItem:
    """One ``field|modifiers: values``; a key of None or with an empty field is a keyword search."""
    name, *ids = str(key).split("|") if key is not None else [""]
    at = f"{place}: {key}" if key is not None else place
    unknown = [id_ for id_ in ids if id_ not in MODIFIERS]
    if unknown:
        raise RuleError(f"{at}: unknown modifier {unknown[0]!r}")
    modifiers = [MODIFIERS[id_] for id_ in ids]
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, SCALARS) for one in values):
        raise RuleError(f"{at}: a value is neither text, number, truth value nor null")
    is_regex = SigmaRegularExpressionModifier in modifiers
    typed = [SigmaString.from_str(one) if is_regex and isinstance(one, str) else sigma_type(one) for one in values]
    try:
        return SigmaDetectionItem(name or None, modifiers, typed)
    except SigmaError as error:
        raise RuleError(f"{at}: {_reason(error)}") from error
