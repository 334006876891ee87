"""Mappings that are data: how rules of one logsource see events of another, or name their fields otherwise.

Comes in: ``mappings/NAME.yml``, one file a source family, each a list of
  rules    the logsource that a rule states, part for part
  events   the logsource that the events carry
  when     a Sigma detection that the events must satisfy; may be left out
  fields   field of the rule: the events' name for it, or several of which any may hold it
  others   what becomes of a field not named there: keep (its own name) or none (these events cannot have it, and the
           rule is not for them). Without it: keep where there are no ``fields``, else none
  instead  true: rules of that logsource are read so only, and no more as they are written
Goes out: what the official pipelines give for Windows, so that a rule gets a variant for each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection

from soc_model.problem import Problem
from soc_model.source import Logsource

MAPPINGS = Path(__file__).parent / "mappings"
KEYS = frozenset({"rules", "events", "when", "fields", "others", "instead"})
KEEP = ("keep", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """How rules of the logsource ``rules`` see events that carry ``logsource``."""

    rules: Logsource
    logsource: Logsource
    added: tuple[SigmaDetection, ...] = ()
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keep_others: bool = True
    instead: bool = False

    def names(self, name: str) -> tuple[str, ...] | None:
        """The field's names in these events; ``None`` where they cannot have it."""
        return self.renamed.get(name, (name,) if self.keep_others else None)


@cache
def shipped_mappings() -> Mapping[Logsource, tuple[FieldMapping, ...]]:
    """The mappings that come with fengsui, by the logsource of the rules; read once."""
    found: dict[Logsource, tuple[FieldMapping, ...]] = {}
    for path in sorted(MAPPINGS.glob("*.yml")):
        for one in read_mappings(path):
            found[one.rules] = (*found.get(one.rules, ()), one)
    return found


def read_mappings(path: Path) -> list[FieldMapping]:
    """The mappings in a file; raises ``Problem`` with the file and the item for what is wrong in it."""
    items = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(items, list):
        raise Problem(str(path), "must be a list of mappings")
    return [_read(item, f"{path}: item {number}") for number, item in enumerate(items, 1)]


def _read(item: Any, where: str) -> FieldMapping:
    if not isinstance(item, dict) or not item.keys() <= KEYS or not item.keys() >= {"rules", "events"}:
        raise Problem(where, f"must have 'rules' and 'events', and of other keys only {', '.join(sorted(KEYS))}")
    fields, others = item.get("fields", {}), item.get("others", "none" if item.get("fields") else "keep")
    if not isinstance(fields, dict) or others not in KEEP:
        raise Problem(where, "'fields' must be names by name, 'others' one of keep, none")
    try:
        return FieldMapping(
            rules=msgspec.convert(item["rules"], Logsource),
            logsource=msgspec.convert(item["events"], Logsource),
            added=tuple(_added(item.get("when"))),
            renamed={str(name): _names(given, where) for name, given in fields.items()},
            keep_others=others == "keep",
            instead=item.get("instead", False) is True,
        )
    except (msgspec.ValidationError, SigmaError) as error:
        raise Problem(where, str(error)) from error


def _added(when: Any) -> Iterator[SigmaDetection]:
    if when is not None:
        yield SigmaDetection.from_definition(when)


def _names(given: Any, where: str) -> tuple[str, ...]:
    names = given if isinstance(given, list) else [given]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise Problem(where, f"{given!r} is no name and no list of names")
    return tuple(names)
