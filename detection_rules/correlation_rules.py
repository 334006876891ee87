"""The correlation rules in force, and how they build on each other."""

from collections.abc import Mapping
from functools import cache

import msgspec

from soc_model.correlation import Correlation, CorrelationType
from soc_model.finding import RuleCard

#: Correlations that build on each other more deeply get their events as if they were at this depth.
DEEPEST = 4


class CorrelationRules:
    """Correlations and cards by rule id; never changes. Cards are those of base rules too, where they came along."""

    def __init__(self, rules: Mapping[str, Correlation], cards: Mapping[str, RuleCard]) -> None:
        self.rules, self.cards = dict(rules), dict(cards)
        self._above: dict[str, list[Correlation]] = {}
        for rule in self.rules.values():
            for base in dict.fromkeys(rule.rules):
                self._above.setdefault(base, []).append(rule)
        self.depth = cache(self._depth)

    def with_rules(self, rules: Mapping[str, Correlation], cards: Mapping[str, RuleCard]) -> "CorrelationRules":
        """These and the new ones. What built on one of the new ones and is not among them is no more."""
        kept = {
            rule_id: rule
            for rule_id, rule in self.rules.items()
            if rule_id in rules or not any(base in rules for base in rule.rules)
        }
        named = {*kept, *rules, *(base for rule in (*kept.values(), *rules.values()) for base in rule.rules)}
        known = {**self.cards, **cards}
        return CorrelationRules(
            {**kept, **rules}, {rule_id: card for rule_id, card in known.items() if rule_id in named}
        )

    def lacks(self, rules: Mapping[str, Correlation]) -> bool:
        """Whether some of these are new or other than those known."""
        return any(self.rules.get(rule_id) != rule for rule_id, rule in rules.items())

    def card(self, rule_id: str) -> RuleCard:
        """The card of a correlation."""
        return self.cards[rule_id]

    def above(self, rule_id: str) -> list[Correlation]:
        """The correlations that build on a rule."""
        return self._above.get(rule_id, [])

    def raises_alerts(self, rule_id: str) -> bool:
        """Whether its episodes are alerts: it is no base rule, or one of a correlation with ``generate``."""
        above = self.above(rule_id)
        return not above or any(rule.generate for rule in above)

    def grace_s(self, rule_id: str, grace_s: int) -> int:
        """How late its events may come: those of other correlations are known only once these are settled."""
        return int(grace_s * 3 ** self.depth(rule_id))

    def chained(self, rule: Correlation) -> tuple[str, ...]:
        """Its base rules that are correlations themselves."""
        return tuple(base for base in dict.fromkeys(rule.rules) if base in self.rules)

    def titles(self, rule: Correlation) -> dict[str, tuple[str, str]]:
        """The titles of its base rules, of those that are known."""
        cards = {base: self.cards[base] for base in rule.rules if base in self.cards}
        return {base: (card.title, card.title_zh) for base, card in cards.items()}

    def unordered(self, rule: Correlation) -> Correlation:
        """The rule without its order: what a whole episode comes to is how many of the rules there were."""
        if rule.type is not CorrelationType.TEMPORAL_ORDERED:
            return rule
        return msgspec.structs.replace(rule, type=CorrelationType.TEMPORAL)

    def _depth(self, rule_id: str) -> int:
        """0 where all base rules are of events, else one more than the deepest correlation it builds on."""
        found, level = 0, set(self.chained(self.rules[rule_id]))
        while level and found < DEEPEST:
            found += 1
            level = {base for one in level for base in self.chained(self.rules[one])}
        return found
