"""Rule documents to rules: parsed, mapped to the events we get, and refused with a reason where we cannot.

A rule has its own reading (events that carry its logsource) and those of the official pipelines (Sysmon, Security
audit, channels); it fires when any of them holds. Nothing is left out silently: rules + refused + below_level is what
came in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from detection_rules.condition import Node, all_of, any_of
from detection_rules.condition_text import ConditionError, parse_condition
from detection_rules.official_pipelines import Mapping, OfficialPipelines
from detection_rules.rule import Refusal, Rule, RuleDocument, RuleSet, Variant
from detection_rules.sigma_parse import ParsedRule, RuleError, parse_rule
from detection_rules.translate import Names, PredicateTable, translate_detection
from soc_model.finding import RuleCard
from soc_model.layer import Level
from soc_model.source import Logsource


def load_rules(
    documents: Sequence[RuleDocument],
    *,
    refused: Sequence[Refusal] = (),
    min_level: Level = Level.INFORMATIONAL,
) -> RuleSet:
    """The rules of ``documents`` of at least ``min_level``, with ``refused`` and every refusal of its own."""
    loading = _Loading(refused=list(refused), min_level=min_level)
    for document in documents:
        loading.take(document)
    return RuleSet(
        rules=loading.rules, refused=loading.refused, below_level=loading.below_level, predicates=loading.table.numbers
    )


@dataclass(slots=True, kw_only=True)
class _Loading:
    """The rules so far, and what they share: predicates and mappings."""

    refused: list[Refusal]
    min_level: Level
    rules: list[Rule] = field(default_factory=list)
    below_level: int = 0
    table: PredicateTable = field(default_factory=PredicateTable)
    pipelines: OfficialPipelines = field(default_factory=OfficialPipelines)
    places: dict[str, str] = field(default_factory=dict)

    def take(self, document: RuleDocument) -> None:
        try:
            parsed = parse_rule(document.data)
            card = _card(parsed, document)
            self._claim(card, document)
            if card.level.rank < self.min_level.rank:
                self.below_level += 1
            else:
                self.rules.append(self._rule(parsed, card, document))
        except RuleError as error:
            self.refused.append(_refusal(document, str(error)))

    def _claim(self, card: RuleCard, document: RuleDocument) -> None:
        if card.id in self.places:
            raise RuleError(f"its id is taken by {self.places[card.id]}")
        self.places[card.id] = f"{document.path}:{document.line}"

    def _rule(self, parsed: ParsedRule, card: RuleCard, document: RuleDocument) -> Rule:
        logsource = _logsource(parsed)
        variants = tuple(_variants(parsed, logsource, self.pipelines, self.table))
        if not variants:
            raise RuleError("its condition can never hold")
        return Rule(card=card, logsource=logsource, variants=variants, path=document.path, line=document.line)


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
    parsed: ParsedRule, logsource: Logsource, pipelines: OfficialPipelines, table: PredicateTable
) -> Iterator[Variant]:
    own = _condition(parsed, lambda name: (name,), table)
    if own is True:
        raise RuleError("its condition always holds")
    if own is not False:
        yield Variant(logsource=logsource, condition=own)
    for mapping in pipelines.mappings(logsource):
        node = _mapped(parsed, mapping, table)
        if not isinstance(node, bool):
            yield Variant(logsource=mapping.logsource, condition=node, renamed=_renamed(mapping))


def _mapped(parsed: ParsedRule, mapping: Mapping, table: PredicateTable) -> Node | bool:
    """The rule's condition in the mapping's terms; False where it asks for a field that these events cannot have."""
    missing = False

    def names(name: str) -> tuple[str, ...]:
        nonlocal missing
        found = mapping.names(name)
        missing = missing or found is None
        return found or ()

    added = [translate_detection(detection, lambda name: (name,), table) for detection in mapping.added]
    node = _condition(parsed, names, table)
    return False if missing else all_of([*added, node])


def _renamed(mapping: Mapping) -> dict[str, str]:
    return {name: found[0] for name, found in mapping.renamed.items() if found and found != (name,)}


def _condition(parsed: ParsedRule, names: Names, table: PredicateTable) -> Node | bool:
    """All conditions of the rule, joined by or."""

    def lookup(name: str) -> Node | bool:
        return translate_detection(parsed.detections[name], names, table)

    try:
        return any_of([parse_condition(text, list(parsed.detections), lookup) for text in parsed.conditions])
    except ConditionError as error:
        raise RuleError(f"condition: {error}") from error


def _logsource(parsed: ParsedRule) -> Logsource:
    found = parsed.logsource
    return Logsource(product=found.product or "", category=found.category or "", service=found.service or "")


def _card(parsed: ParsedRule, document: RuleDocument) -> RuleCard:
    head, digest = parsed.head, sha256(document.text.encode()).hexdigest()
    custom = document.data.get("fengsui", {})
    if not isinstance(custom, dict):
        raise RuleError("fengsui: not a mapping")
    return RuleCard(
        id=str(head.id) if head.id is not None else digest[:32],
        title=head.title,
        title_zh=_text(custom, "title_zh") or document.title_zh,
        level=Level(str(head.level)) if head.level is not None else Level.INFORMATIONAL,
        tags=tuple(map(str, head.tags)),
        description=head.description or "",
        falsepositives=tuple(map(str, head.falsepositives)),
        references=tuple(map(str, head.references)),
        author=head.author or "",
        status=str(head.status) if head.status is not None else "",
        group_by=_names(custom, "group_by"),
        content_sha256=digest,
        path=document.shown or document.path,
        state=document.state,
    )


def _text(custom: dict[str, Any], key: str) -> str:
    value = custom.get(key, "")
    if not isinstance(value, str):
        raise RuleError(f"fengsui.{key}: not a text")
    return value


def _names(custom: dict[str, Any], key: str) -> tuple[str, ...]:
    value = custom.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise RuleError(f"fengsui.{key}: not a list of field names")
    return tuple(value)
