"""Rule documents to rules: parsed, filtered, mapped to the events we get, and refused with a reason where we cannot.

A rule has its own reading (events that carry its logsource) and those of the official pipelines (Sysmon, Security
audit, channels); it fires when any of them holds. Nothing is left out silently: rules + correlations + filters +
refused + below_level + inactive is what came in.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from detection_rules.condition import Node, all_of, any_of
from detection_rules.condition_text import ConditionError, parse_condition
from detection_rules.correlation_parse import ParsedCorrelation, parse_correlation
from detection_rules.correlation_set import CorrelationSet
from detection_rules.filters import ReadyFilter, applied, ready_filter
from detection_rules.official_pipelines import Mapping, OfficialPipelines
from detection_rules.placeholders import SiteValues
from detection_rules.placeholders import placeholders as placeholders_of
from detection_rules.references import References, document_id
from detection_rules.rule import CorrelationRule, Refusal, Rule, RuleDocument, RuleSet, Variant
from detection_rules.rule_card import content_of, digest_of, rule_card
from detection_rules.sigma_modifiers import Modifiers, modifiers
from detection_rules.sigma_parse import ParsedRule, RuleError, parse_filter, parse_rule
from detection_rules.translate import Names, PredicateTable, translate_detection
from soc_model.finding import RuleCard
from soc_model.layer import Level


def load_rules(
    documents: Sequence[RuleDocument],
    *,
    refused: Sequence[Refusal] = (),
    min_level: Level = Level.INFORMATIONAL,
    placeholders: SiteValues | None = None,
    inactive: Collection[str] = (),
) -> RuleSet:
    """The rules of ``documents`` of at least ``min_level``, with ``refused`` and every refusal of its own.

    ``placeholders`` are the site's lists by name; ``inactive`` are ids of rules and correlations that are switched off.
    Those below the level or off are still loaded, without findings of their own, where a correlation builds on them.
    """
    site = placeholders or {}
    loading = _Loading(
        references=References(documents),
        refused=list(refused),
        min_level=min_level,
        switched_off=frozenset(inactive),
        site=site,
        modifiers=modifiers(site),
    )
    ways = {"filter": loading.take_filter, "correlation": loading.take_correlation, "detection": loading.take_rule}
    for kind, way in ways.items():
        for document in documents:
            if _kind(document) == kind:
                loading.take(document, way)
    return loading.ruleset()


def _kind(document: RuleDocument) -> str:
    """The section that says what a document is; one with none of them is refused as a rule."""
    return next((kind for kind in ("filter", "correlation") if kind in document.data), "detection")


@dataclass(slots=True, kw_only=True)
class _Loading:
    """What is loaded so far, and what it shares: references, predicates and mappings."""

    references: References
    refused: list[Refusal]
    min_level: Level
    switched_off: frozenset[str]
    site: SiteValues
    modifiers: Modifiers
    reasons: dict[str, str] = field(default_factory=dict)
    filters: list[ReadyFilter] = field(default_factory=list)
    correlations: dict[str, tuple[RuleDocument, ParsedCorrelation]] = field(default_factory=dict)
    bases: set[str] = field(default_factory=set)
    rules: dict[str, Rule] = field(default_factory=dict)
    below_level: int = 0
    inactive: int = 0
    table: PredicateTable = field(default_factory=PredicateTable)
    pipelines: OfficialPipelines = field(default_factory=OfficialPipelines)
    places: dict[str, str] = field(default_factory=dict)

    def take(self, document: RuleDocument, way: Callable[[RuleDocument], None]) -> None:
        """Take the document in its way, or refuse it."""
        try:
            way(document)
        except RuleError as error:
            self._refuse(document, str(error))

    def take_filter(self, document: RuleDocument) -> None:
        found = ready_filter(document, parse_filter(document.data, self.modifiers), self.references)
        self._claim(document)
        self.filters.append(found)

    def take_correlation(self, document: RuleDocument) -> None:
        parsed = parse_correlation(document.data)
        self._claim(document)
        self.correlations[document_id(document)] = document, parsed
        for reference in parsed.rules:
            try:
                self.bases.add(document_id(self.references.document(reference)))
            except RuleError:  # told when the correlation is resolved
                continue

    def take_rule(self, document: RuleDocument) -> None:
        parsed = parse_rule(document.data, self.modifiers)
        card = rule_card(parsed.head, document, digest_of(document))
        self._claim(document)
        if self._is_wanted(card) or card.id in self.bases:
            self.rules[card.id] = self._rule(parsed, card, document)
        else:
            self._leave_out(card)

    def ruleset(self) -> RuleSet:
        """All of it, once every document was taken."""
        found = CorrelationSet(
            references=self.references, rules=self.rules, refused_rules=self.reasons, pending=dict(self.correlations)
        )
        found.resolve()
        for one, reason in found.refused.items():
            self._refuse(self.correlations[one][0], reason)
        correlations = list(self._kept_correlations(found.found))
        rules = list(self._kept_rules(correlations))
        return RuleSet(
            rules=rules,
            refused=self.refused,
            below_level=self.below_level,
            inactive=self.inactive,
            predicates=self.table.numbers,
            correlations=correlations,
            filters=[applied(one, rules) for one in self.filters],
        )

    def _claim(self, document: RuleDocument) -> None:
        one = document_id(document)
        if one in self.places:
            raise RuleError(f"its id is taken by {self.places[one]}")
        self.places[one] = f"{document.path}:{document.line}"

    def _refuse(self, document: RuleDocument, reason: str) -> None:
        self.refused.append(_refusal(document, reason))
        self.reasons.setdefault(document_id(document), reason)

    def _is_wanted(self, card: RuleCard) -> bool:
        return card.level.rank >= self.min_level.rank and card.id not in self.switched_off

    def _leave_out(self, card: RuleCard) -> None:
        if card.id in self.switched_off:
            self.inactive += 1
        else:
            self.below_level += 1

    def _kept_correlations(self, found: dict[str, CorrelationRule]) -> Iterator[CorrelationRule]:
        """Those that are wanted and those that they build on; the others are counted."""
        needed = {one for one, rule in found.items() if self._is_wanted(rule.card)}
        for one in reversed(found):  # what builds on another stands after it
            if one in needed:
                needed.update(base for base in found[one].correlation.rules if base in found)
        for one, rule in found.items():
            if one in needed:
                yield rule
            else:
                self._leave_out(rule.card)

    def _kept_rules(self, correlations: list[CorrelationRule]) -> Iterator[Rule]:
        """The rules that are wanted or a base; a base alerts only if one of its correlations says ``generate``."""
        generate: dict[str, bool] = {}
        for one in correlations:
            for base in one.correlation.rules:
                generate[base] = generate.get(base, False) or one.correlation.generate
        for rule in self.rules.values():
            id_, wanted = rule.card.id, self._is_wanted(rule.card)
            if wanted or id_ in generate:
                yield replace(rule, alerts=wanted and generate.get(id_, True))
            else:
                self._leave_out(rule.card)

    def _rule(self, parsed: ParsedRule, card: RuleCard, document: RuleDocument) -> Rule:
        filters = [one for one in self.filters if one.applies(card.id, parsed.logsource)]
        names = placeholders_of(parsed.detections.values()).union(*(one.placeholders for one in filters))
        needs = tuple(sorted(name for name in names if not self.site.get(name)))
        variants = tuple(_variants(parsed, filters, self.pipelines, self.table, waits=bool(needs)))
        if not variants and not needs:
            raise RuleError("its condition can never hold")
        lists = [f"%{name}% {json.dumps(list(self.site[name]))}" for name in names if self.site.get(name)]
        content = content_of(card.content_sha256, [*(one.digest for one in filters), *lists])
        return Rule(
            card=msgspec.structs.replace(card, content_sha256=content),
            logsource=parsed.logsource,
            variants=variants,
            path=document.path,
            line=document.line,
            needs=needs,
            filters=tuple(document_id(one.document) for one in filters),
        )


def _refusal(document: RuleDocument, reason: str) -> Refusal:
    rule_id, title = (document.data.get(key) for key in ("id", "title"))
    return Refusal(
        path=document.path,
        line=document.line,
        reason=reason,
        rule_id=rule_id if isinstance(rule_id, str) else "",
        title=title if isinstance(title, str) else "",
    )


def _variants(
    parsed: ParsedRule,
    filters: Sequence[ReadyFilter],
    pipelines: OfficialPipelines,
    table: PredicateTable,
    *,
    waits: bool,
) -> Iterator[Variant]:
    """The rule's readings; of one that would always hold only because a list is empty (``waits``) none."""
    own = _condition(parsed, filters, lambda name: (name,), lambda name: (name,), table)
    if own is True:
        if waits:
            return
        raise RuleError("its condition always holds")
    if own is not False:
        yield Variant(logsource=parsed.logsource, condition=own)
    for mapping in pipelines.mappings(parsed.logsource):
        node = _mapped(parsed, filters, mapping, table)
        if not isinstance(node, bool):
            yield Variant(logsource=mapping.logsource, condition=node, renamed=_renamed(mapping))


def _mapped(parsed: ParsedRule, filters: Sequence[ReadyFilter], mapping: Mapping, table: PredicateTable) -> Node | bool:
    """The rule's condition in the mapping's terms; False where it asks for a field that these events cannot have.

    A filter may ask for such a field: under its own name these events do not have it, and that is the answer.
    """
    missing = False

    def names(name: str) -> tuple[str, ...]:
        nonlocal missing
        found = mapping.names(name)
        missing = missing or found is None
        return found or ()

    added = [translate_detection(detection, lambda name: (name,), table) for detection in mapping.added]
    node = _condition(parsed, filters, names, lambda name: mapping.names(name) or (name,), table)
    return False if missing else all_of([*added, node])


def _renamed(mapping: Mapping) -> dict[str, str]:
    return {name: found[0] for name, found in mapping.renamed.items() if found and found != (name,)}


def _condition(
    parsed: ParsedRule, filters: Sequence[ReadyFilter], names: Names, filter_names: Names, table: PredicateTable
) -> Node | bool:
    """All conditions of the rule, joined by or, and those of its filters, joined by and."""

    def lookup(name: str) -> Node | bool:
        return translate_detection(parsed.detections[name], names, table)

    try:
        own = any_of([parse_condition(text, list(parsed.detections), lookup) for text in parsed.conditions])
    except ConditionError as error:
        raise RuleError(f"condition: {error}") from error
    return all_of([own, *(one.condition(filter_names, table) for one in filters)])
