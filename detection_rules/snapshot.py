"""An immutable, content-addressed set of rules, ready to decide events. Every outcome names the one that decided it."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from detection_rules.contribution import above, contributions_of
from detection_rules.engine import CACHE_BYTES, Engine
from detection_rules.event_values import names_of
from detection_rules.regex_databases import Hyperscan
from detection_rules.rule import Refusal, Rule, RuleSet
from soc_model.correlation import Correlation
from soc_model.event import HEADER, EventType
from soc_model.finding import RuleCard
from soc_model.rule_state import RuleState

ENGINE_VERSION = "2"  # part of the id: a change of meaning in the engine is a change of rules


class Snapshot:
    """The rules and their engine. What it means never changes; its caches only make it faster.

    ``id``: hash over engine version and the contents of rules and correlations. ``cards``: of both, by id. ``refused``:
    what did not load. ``contributions``: what correlations need of a rule's events, by its number. ``above``: a
    correlation and all that build on it.
    """

    def __init__(self, ruleset: RuleSet, engine: Engine) -> None:
        self.engine = engine
        self.rules: list[Rule] = ruleset.rules
        self.refused: list[Refusal] = ruleset.refused
        self.below_level = ruleset.below_level
        cards = [*(rule.card for rule in ruleset.rules), *(one.card for one in ruleset.correlations)]
        self.cards: dict[str, RuleCard] = {card.id: card for card in cards}
        self.correlations: dict[str, Correlation] = {one.card.id: one.correlation for one in ruleset.correlations}
        self.contributions = contributions_of(ruleset)
        self.above = above(self.correlations)
        self.id = _content_id(ruleset)
        self._wanted: dict[EventType, frozenset[str] | None] = {}

    def warm(self) -> None:
        """Build all automata now (seconds, some megabytes), so that workers forked from here share them."""
        self.engine.warm()

    def wanted(self, event_type: EventType) -> frozenset[str] | None:
        """The fields that rules ask of events of the type; None where keyword rules look at every value."""
        if event_type not in self._wanted:
            if len(self._wanted) >= 4096:
                self._wanted.clear()
            self._wanted[event_type] = self._asked(event_type)
        return self._wanted[event_type]

    def _asked(self, event_type: EventType) -> frozenset[str] | None:
        plan = self.engine.plan(event_type)
        if plan.fields is None:
            return None
        numbers = (*plan.always, *plan.nodes)
        constants = {name for name, _ in event_type.constants}
        correlated = (base.asked() for number in numbers for base in self.contributions.get(number, ()))
        return plan.fields.union(constants, *(_grouping(self.rules[number]) for number in numbers), *correlated)


def compile_snapshot(ruleset: RuleSet, *, hyperscan: Hyperscan = True, cache_bytes: int = CACHE_BYTES) -> Snapshot:
    """The snapshot of a rule set; ``hyperscan=False`` decides without it, ``cache_bytes`` bounds what it remembers."""
    engine = Engine(ruleset.rules, ruleset.predicates, hyperscan=hyperscan, cache_bytes=cache_bytes)
    return Snapshot(ruleset, engine)


def _content_id(ruleset: RuleSet) -> str:
    return sha256("\n".join([f"engine {ENGINE_VERSION}", *sorted(_contents(ruleset))]).encode()).hexdigest()[:32]


def _contents(ruleset: RuleSet) -> Iterator[str]:
    """A line for each rule and correlation; what a correlation refers to by name is part of what it means."""
    for rule in ruleset.rules:
        tried = " test" if rule.card.state is RuleState.TEST else ""
        yield f"{rule.card.id} {rule.card.content_sha256}{tried}" + ("" if rule.alerts else " for correlations only")
    for one in ruleset.correlations:
        meant = msgspec.json.encode(one.correlation, order="deterministic").decode()
        tried = " test" if one.card.state is RuleState.TEST else ""
        yield f"{one.card.id} {one.card.content_sha256}{tried} {meant}"


def _grouping(rule: Rule) -> set[str]:
    """The event fields that the rule's alert key may need, under every name that its variants have for them."""
    return {one for name in rule.card.group_by if name not in HEADER for one in names_of(rule, name)}
