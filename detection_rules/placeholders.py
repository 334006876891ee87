"""Placeholders (``%Administrators%``) to the values that a site has declared for them.

Comes in: lists of values by name. Goes out: the modifier ``expand``, which puts each value in the placeholder's place;
values are Sigma patterns, so ``srv*`` is one. A list that nobody declared is empty: nothing is known, so what asks for
one of its values never holds.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, ClassVar, TypeAlias

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaValueModifier
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    Placeholder,
    SigmaCasedString,
    SigmaExpansion,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

SiteValues: TypeAlias = Mapping[str, Sequence[str]]

MAX_EXPANDED = 10_000  # texts or expressions that one value of a rule may become

#: Escaped characters, placeholders, wildcards, anything else (specification 2.1, Escape Character and Placeholders).
_TEXT = re.compile(r"\\([\\*?%])|%([^%]+)%|([*?])|([^\\%*?]+|.)", re.DOTALL)
_REGEX = re.compile(r"(\\.)|%([^%]+)%|([^\\%]+|.)", re.DOTALL)
_WILDCARDS = {"*": SpecialChars.WILDCARD_MULTI, "?": SpecialChars.WILDCARD_SINGLE}
_AS_REGEX = {SpecialChars.WILDCARD_MULTI: r"[\s\S]*", SpecialChars.WILDCARD_SINGLE: r"[\s\S]"}


def read_text(text: str) -> SigmaString:
    """A value that ``expand`` stands over, with its placeholders found."""
    found = SigmaString("")
    found.original = text
    found.s = list(_joined(_text_parts(text)))
    return found


def _text_parts(text: str) -> Iterator[Any]:
    for escaped, name, wildcard, plain in _TEXT.findall(text):
        yield Placeholder(name) if name else _WILDCARDS.get(wildcard, escaped + plain)


def _joined(parts: Iterable[Any]) -> Iterator[Any]:
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if texts:
            yield "".join(texts)
            texts.clear()
        yield part
    if texts:
        yield "".join(texts)


def _regex_parts(pattern: str) -> list[Any]:
    """The expression cut at its placeholders."""
    found = _REGEX.findall(pattern)
    return [Placeholder(name) if name else plain + escaped.replace("\\%", "%") for escaped, name, plain in found]


class Expand(SigmaValueModifier[SigmaString | SigmaRegularExpression, SigmaExpansion]):
    """Each placeholder becomes each of its values."""

    site: ClassVar[SiteValues] = {}

    def modify(self, val: SigmaString | SigmaRegularExpression) -> SigmaExpansion:
        """Every combination of values, any of which is meant."""
        if isinstance(val, SigmaRegularExpression):
            found = self._all(_regex_parts(_pattern(val)), _as_regex)
            return SigmaExpansion([SigmaRegularExpression("".join(parts), val.flags) for parts in found])
        return SigmaExpansion(
            [with_parts(val, parts) for parts in self._all(val.s, lambda value: SigmaString(value).s)]
        )

    def _all(self, parts: Sequence[Any], read: Callable[[str], list[Any]]) -> Iterator[list[Any]]:
        options: list[list[list[Any]]] = [
            list(map(read, self.site.get(part.name, ()))) if isinstance(part, Placeholder) else [[part]]
            for part in parts
        ]
        if prod(map(len, options)) > MAX_EXPANDED:
            raise SigmaValueError(f"expand: one value becomes more than {MAX_EXPANDED}")
        return (list(_joined(part for one in chosen for part in one)) for chosen in product(*options))


def expanding(site: SiteValues) -> type[Expand]:
    """The modifier with a site's values."""
    return type("SiteExpand", (Expand,), {"site": site})


def with_parts(like: SigmaString, parts: Iterable[Any]) -> SigmaString:
    """A text of other parts, compared as ``like`` is: with its case or without."""
    made = SigmaString("")
    made.s = list(parts)
    return SigmaCasedString.from_sigma_string(made) if isinstance(like, SigmaCasedString) else made


def placeholders(detections: Iterable[SigmaDetection]) -> frozenset[str]:
    """The names of all placeholders that the detections ask for."""
    return frozenset(
        part.name
        for detection in detections
        for item in _items(detection)
        if any(issubclass(kind, Expand) for kind in item.modifiers)
        for value in item.original_value or ()
        for part in _parts(value)
        if isinstance(part, Placeholder)
    )


def _items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _items(item)
        else:
            yield item


def _parts(value: Any) -> list[Any]:
    """The parts of a value as the rule writes it: of a text for ``re`` those of the expression."""
    if not isinstance(value, SigmaString):
        return []
    return _regex_parts(value.original) if value.s == [value.original] else list(value.s)


def _pattern(value: SigmaRegularExpression) -> str:
    return value.to_plain()


def _as_regex(value: str) -> list[str]:
    parts = SigmaString(value).s
    return ["".join(re.escape(part) if isinstance(part, str) else _AS_REGEX[part] for part in parts)]  # type: ignore[index]
