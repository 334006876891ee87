"""The rules that see one logsource, sorted by what they require of the fields that an event type fixes.

Comes in: their conditions. Goes out: for the predicates that hold in one type, what is left open of each rule. The one
thing to know: most rules require a channel and an event id, and few distinct pairs of these occur, so each pair is
asked once and only the rules behind those that hold are looked at.
"""

from collections.abc import Iterable, Set
from typing import TypeGuard

from detection_rules.condition import AllOf, AnyOf, Node, any_of, resolve

#: All of the first, and one of each of the others.
Required = tuple[frozenset[int], frozenset[frozenset[int]]]


class Narrowing:
    """Conditions by requirement; ``decided`` are the predicates of the fields that the types fix."""

    def __init__(self, conditions: Iterable[tuple[int, list[Node]]], decided: frozenset[int]) -> None:
        self._decided = decided
        self._members: dict[Required, list[tuple[int, Node]]] = {}
        for rule, nodes in conditions:
            for node in nodes:
                self._members.setdefault(_required(node, decided), []).append((rule, node))

    def left(self, true: Set[int]) -> dict[int, Node | bool]:
        """By rule what remains where exactly ``true`` of the decided predicates hold; rules that cannot fire miss."""
        found: dict[int, list[Node | bool]] = {}
        for (every, some), members in self._members.items():
            if every <= true and not any(one.isdisjoint(true) for one in some):
                for rule, node in members:
                    found.setdefault(rule, []).append(resolve(node, self._decided, true))
        joined = ((rule, any_of(nodes)) for rule, nodes in sorted(found.items()))
        return {rule: node for rule, node in joined if node is not False}


def _required(node: Node, decided: frozenset[int]) -> Required:
    """What must hold among ``decided`` for the node to hold."""
    if isinstance(node, AllOf):
        some = (part.preds for part in node.parts if _is_choice(part) and part.preds <= decided)
        return node.preds & decided, frozenset(some)
    if _is_choice(node) and node.preds <= decided:
        return frozenset(), frozenset((node.preds,))
    return frozenset(), frozenset()


def _is_choice(node: Node) -> TypeGuard[AnyOf]:
    return isinstance(node, AnyOf) and not node.parts
