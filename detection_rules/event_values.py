"""An event's values as the short texts that alert keys, groups of correlations and entities are made of."""

from collections.abc import Iterable
from typing import Any

from detection_rules.engine import raw_text
from detection_rules.explain import VALUE_CHARS
from detection_rules.predicate import elements, text_of
from detection_rules.rule import Rule
from soc_model.event import HEADER, Located

#: The header columns whose values are entities.
ENTITIES = (
    "host.name",
    "user.name",
    "source.ip",
    "destination.ip",
    "process.executable",
    "file.path",
    "url.domain",
)


def fields_of(located: Located, index: int) -> dict[str, Any]:
    """What the rules saw of an event."""
    if index in located.group.unparsed:
        return {"raw": raw_text(located.group.raws[index])}
    return located.group.fields[index]


def header_of(located: Located, index: int) -> dict[str, Any]:
    """The header columns of an event."""
    return {name: values[index] for name, values in located.group.header.items()}


def short_text(value: Any) -> str:
    """A value as short text; of a list its elements; empty for none."""
    if type(value) is str:
        return value[:VALUE_CHARS]
    texts = [text_of(element) for element in elements(value) if element is not None]
    return ", ".join(texts)[:VALUE_CHARS]


def present(names: Iterable[str], values: dict[str, Any]) -> dict[str, str]:
    """Those of the names that have a value, with it."""
    return {name: text for name in names if (text := short_text(values.get(name)))}


def names_of(rule: Rule, name: str) -> tuple[str, ...]:
    """What events may call a field of the rule: a header column as such, else every name that its variants give it."""
    if name in HEADER:
        return (name,)
    return (name, *(variant.renamed[name] for variant in rule.variants if name in variant.renamed))
