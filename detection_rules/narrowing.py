"""All rules, sorted by what they require of an event's type: its logsource, and the fields that the type fixes.

Comes in: the rules. Goes out: for one logsource and the predicates that hold in one type, what is left open of each
rule. The one thing to know: most rules require a channel and an event id, and few distinct pairs of these occur, so
each pair is asked once and only the rules behind those that hold are looked at.
"""

from collections.abc import Sequence, Set
from typing import TypeGuard

from detection_rules.condition import AllOf, AnyOf, Node, any_of, resolve
from detection_rules.rule import Rule
from soc_model.source import Logsource

#: All of the first, and one of each of the others.
Required = tuple[frozenset[int], frozenset[frozenset[int]]]


class Narrowing:
    """Conditions by requirement; ``decided`` are the predicates of the fields that the types fix."""

    def __init__(self, rules: Sequence[Rule], decided: frozenset[int]) -> None:
        self._decided = decided
        self._members: dict[Logsource, dict[Required, list[tuple[int, Node]]]] = {}
        for number, rule in enumerate(rules):
            for variant in rule.variants:
                required = _required(variant.condition, decided)
                members = self._members.setdefault(variant.logsource, {})
                members.setdefault(required, []).append((number, variant.condition))

    def left(self, logsource: Logsource, true: Set[int]) -> dict[int, Node | bool]:
        """By rule what remains where exactly ``true`` of the decided predicates hold; rules that cannot fire miss."""
        found: dict[int, list[Node | bool]] = {}
        for stated, members in self._members.items():
            if stated.covers(logsource):
                for (every, some), these in members.items():
                    if every <= true and not any(one.isdisjoint(true) for one in some):
                        for rule, node in these:
                            found.setdefault(rule, []).append(resolve(node, self._decided, true))
        joined = ((rule, any_of(nodes)) for rule, nodes in sorted(found.items()))
        return {rule: node for rule, node in joined if node is not False}


def _required(node: Node, decided: frozenset[int]) -> Required:
    """What must hold among ``decided`` for the node to hold."""
    if isinstance(node, AllOf):
        some = [part.preds for part in node.parts if _is_choice(part) and part.preds <= decided]
        return node.preds & decided, frozenset(some)
    if _is_choice(node) and node.preds <= decided:
        return frozenset(), frozenset((node.preds,))
    return frozenset(), frozenset()


def _is_choice(node: Node) -> TypeGuard[AnyOf]:
    return isinstance(node, AnyOf) and not node.parts
