"""Which rules correlations build on, and what of their events they need: worked out once for a set of rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from detection_rules.event_values import names_of
from detection_rules.rule import Rule, RuleSet
from soc_model.correlation import Correlation
from soc_model.event import HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One rule as one correlation's base: for each name that the correlation groups by or reckons with, what its
    events may call it."""

    correlation: Correlation
    rule: str
    group: tuple[tuple[str, ...], ...]
    fields: tuple[tuple[str, ...], ...]

    def asked(self) -> set[str]:
        """The event fields that it may need; header columns are always there."""
        return {name for names in (*self.group, *self.fields) for name in names if name not in HEADER}


def contributions_of(ruleset: RuleSet) -> dict[int, tuple[Contribution, ...]]:
    """The correlations that each rule is a base of, by its number."""
    correlations = [one.correlation for one in ruleset.correlations]
    found = {
        number: tuple(_base(one, rule) for one in correlations if rule.card.id in one.rules)
        for number, rule in enumerate(ruleset.rules)
    }
    return {number: bases for number, bases in found.items() if bases}


def _base(correlation: Correlation, rule: Rule) -> Contribution:
    def names(wanted: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        return tuple(names_of(rule, correlation.field_of(rule.card.id, name)) for name in wanted)

    group, fields = names(correlation.group_by), names(correlation.fields)
    return Contribution(correlation=correlation, rule=rule.card.id, group=group, fields=fields)


def above(correlations: Mapping[str, Correlation]) -> dict[str, tuple[str, ...]]:
    """For each correlation itself and all that build on it, directly or through others, by id."""
    found: dict[str, tuple[str, ...]] = {}
    for one in reversed(list(correlations)):  # what builds on another stands after it
        outer = (up for up, other in correlations.items() if one in other.rules)
        found[one] = tuple(dict.fromkeys((one, *(upper for up in outer for upper in found[up]))))
    return found
