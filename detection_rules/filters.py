"""Filters (specification 2.1, Sigma Filters): documents that narrow rules, for what is normal at this site.

A filter's condition is joined to the rule's by *and*, as pySigma reads the specification: the specification's own
example (``condition: selection``) therefore keeps only what the selection holds for, and a filter that is to leave
something out says ``not selection``. The filter's logsource must take in the rule's, or it is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from detection_rules.condition import Node
from detection_rules.condition_text import ConditionError, parse_condition
from detection_rules.placeholders import placeholders
from detection_rules.references import References, document_id
from detection_rules.rule import Filter, Rule, RuleDocument
from detection_rules.rule_card import digest_of
from detection_rules.sigma_parse import ANY, ParsedFilter, RuleError
from detection_rules.translate import Names, PredicateTable, translate_detection
from soc_model.source import Logsource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyFilter:
    """A filter whose rules are all there; ``rules`` are their ids, None for all that the logsource takes in."""

    document: RuleDocument
    parsed: ParsedFilter
    rules: frozenset[str] | None
    placeholders: frozenset[str]
    digest: str

    def applies(self, rule_id: str, logsource: Logsource) -> bool:
        """Whether it narrows that rule."""
        return rule_id in self.rules if self.rules is not None else self.parsed.logsource.covers(logsource)

    def condition(self, names: Names, table: PredicateTable) -> Node | bool:
        """What must hold beside the rule's own condition."""
        detections = self.parsed.detections

        def lookup(name: str) -> Node | bool:
            return translate_detection(detections[name], names, table)

        try:
            return parse_condition(self.parsed.condition, list(detections), lookup)
        except ConditionError as error:
            raise RuleError(f"filter.condition: {error}") from error


def ready_filter(document: RuleDocument, parsed: ParsedFilter, references: References) -> ReadyFilter:
    """The filter with its references resolved; raises ``RuleError`` naming the rule that is not there or not fit."""
    found = ReadyFilter(
        document=document,
        parsed=parsed,
        rules=None if parsed.rules == (ANY,) else frozenset(_rule(one, parsed, references) for one in parsed.rules),
        placeholders=placeholders(parsed.detections.values()),
        digest=digest_of(document),
    )
    found.condition(lambda name: (name,), PredicateTable())  # a wrong condition is the filter's fault, not its rules'
    return found


def _rule(reference: str, parsed: ParsedFilter, references: References) -> str:
    """The id of a rule that a filter names."""
    try:
        document = references.document(reference)
    except RuleError as error:
        raise RuleError(f"filter.rules: {error}") from error
    if "correlation" in document.data or "filter" in document.data:
        raise RuleError(f"filter.rules: {reference!r} has no detection to be narrowed")
    stated = document.data.get("logsource")
    if isinstance(stated, Mapping) and not parsed.logsource.covers(_logsource(stated)):
        raise RuleError(f"filter.rules: {reference!r} has another logsource than the filter")
    return document_id(document)


def _logsource(stated: Mapping[str, object]) -> Logsource:
    return Logsource(**{key: str(stated.get(key) or "") for key in ("product", "category", "service")})


def applied(one: ReadyFilter, rules: list[Rule]) -> Filter:
    """The filter as the rule set shows it, with those of ``rules`` that it narrows."""
    id_ = document_id(one.document)
    return Filter(
        id=id_,
        title=one.parsed.head.title,
        path=one.document.path,
        line=one.document.line,
        rules=tuple(rule.card.id for rule in rules if id_ in rule.filters),
    )
