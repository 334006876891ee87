"""What single rules cost, in seconds of the worker that decides: the parts of the work that are one rule's own.

Most work is shared: a value is matched against all rules at once. Two parts are not: an expression that no shared
automaton takes runs by itself, and is timed each time; and of deciding a new combination every ``EVERY``th is timed
rule by rule and counts for all. Nobody's are the shared automata, so the sum is less than the whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

from detection_rules.condition import Node

EVERY = 64


class Spending:
    """Seconds by predicate, and by rule number, since the start."""

    def __init__(self) -> None:
        self.expressions: dict[int, float] = {}
        self.rules: dict[int, float] = {}
        self._decided = 0

    def expression(self, number: int, seconds: float) -> None:
        """One run of an expression that stands alone."""
        self.expressions[number] = self.expressions.get(number, 0.0) + seconds

    def due(self) -> bool:
        """Whether this combination is to be decided by ``timed``."""
        self._decided += 1
        return self._decided % EVERY == 0

    def timed(self, candidates: Iterable[int], nodes: Mapping[int, Node], present: frozenset[int]) -> list[int]:
        """The candidates that hold, each timed."""
        fired = []
        for rule in candidates:
            began = perf_counter()
            if nodes[rule].holds(present):
                fired.append(rule)
            self.rules[rule] = self.rules.get(rule, 0.0) + EVERY * (perf_counter() - began)
        return fired

    def by_rule(self, asking: Mapping[int, Sequence[int]]) -> dict[int, float]:
        """Seconds by rule number; ``asking`` are the rules that ask for a predicate, which share what it took."""
        found = dict(self.rules)
        for number, seconds in self.expressions.items():
            rules = asking.get(number, ())
            for rule in rules:
                found[rule] = found.get(rule, 0.0) + seconds / len(rules)
        return found
