"""An immutable, content-addressed set of rules, ready to decide events. Every outcome names the one that decided it."""

from hashlib import sha256

from detection_rules.engine import CACHE_BYTES, Engine
from detection_rules.regex_databases import Hyperscan
from detection_rules.rule import Refusal, Rule, RuleSet
from soc_model.event import HEADER, EventType
from soc_model.finding import RuleCard

ENGINE_VERSION = "1"  # part of the id: a change of meaning in the engine is a change of rules


class Snapshot:
    """The rules and their engine. What it means never changes; its caches only make it faster.

    ``id``: hash over engine version and the rules' contents. ``cards`` by rule id. ``refused``: what did not load.
    """

    def __init__(self, ruleset: RuleSet, engine: Engine) -> None:
        self.engine = engine
        self.rules: list[Rule] = ruleset.rules
        self.refused: list[Refusal] = ruleset.refused
        self.below_level = ruleset.below_level
        self.cards: dict[str, RuleCard] = {rule.card.id: rule.card for rule in ruleset.rules}
        self.id = _content_id(self.cards)
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
        rules = [self.rules[number] for number in (*plan.always, *plan.nodes)]
        constants = {name for name, _ in event_type.constants}
        return plan.fields.union(constants, *(_grouping(rule) for rule in rules))


def compile_snapshot(ruleset: RuleSet, *, hyperscan: Hyperscan = True, cache_bytes: int = CACHE_BYTES) -> Snapshot:
    """The snapshot of a rule set; ``hyperscan=False`` decides without it, ``cache_bytes`` bounds what it remembers."""
    engine = Engine(ruleset.rules, ruleset.predicates, hyperscan=hyperscan, cache_bytes=cache_bytes)
    return Snapshot(ruleset, engine)


def _content_id(cards: dict[str, RuleCard]) -> str:
    lines = [f"engine {ENGINE_VERSION}", *sorted(f"{card.id} {card.content_sha256}" for card in cards.values())]
    return sha256("\n".join(lines).encode()).hexdigest()[:32]


def _grouping(rule: Rule) -> set[str]:
    """The event fields that the rule's alert key may need, under every name that its variants have for them."""
    names = {name for name in rule.card.group_by if name not in HEADER}
    return names | {variant.renamed[name] for variant in rule.variants for name in names if name in variant.renamed}
