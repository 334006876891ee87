"""Conditions over numbered predicates: and, or, not, with the constants folded away.

``preds`` are the numbers of predicates asked directly, ``parts`` the nested conditions. A single predicate is an
``AnyOf`` with one number. Build with ``all_of``, ``any_of`` and ``negate``, which keep conditions small and equal ones
equal.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from operator import is_
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every predicate and every part holds."""

    preds: frozenset[int]
    parts: tuple["Node", ...] = ()

    def holds(self, present: Set[int]) -> bool:
        """Whether it holds when exactly the predicates ``present`` are true."""
        if not self.preds <= present:
            return False
        for part in self.parts:  # noqa: SIM110  (asked for each candidate of each new event: a generator costs as much)
            if not part.holds(present):
                return False
        return True


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one predicate or part holds."""

    preds: frozenset[int]
    parts: tuple["Node", ...] = ()

    def holds(self, present: Set[int]) -> bool:
        """Whether it holds when exactly the predicates ``present`` are true."""
        if not self.preds.isdisjoint(present):
            return True
        for part in self.parts:  # noqa: SIM110
            if part.holds(present):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Node"

    def holds(self, present: Set[int]) -> bool:
        """Whether it holds when exactly the predicates ``present`` are true."""
        return not self.part.holds(present)


Node: TypeAlias = AllOf | AnyOf | Not
NONE: frozenset[int] = frozenset()


def predicate(number: int) -> AnyOf:
    """The condition that one predicate is true."""
    return AnyOf(frozenset((number,)))


def all_of(nodes: Iterable[Node | bool]) -> Node | bool:
    """All of ``nodes``; True for none, False as soon as one is False."""
    return _join(nodes, AllOf, absorbing=False)


def any_of(nodes: Iterable[Node | bool]) -> Node | bool:
    """Any of ``nodes``; False for none, True as soon as one is True."""
    return _join(nodes, AnyOf, absorbing=True)


def negate(node: Node | bool) -> Node | bool:
    """The opposite; two negations cancel out."""
    if isinstance(node, bool):
        return not node
    return node.part if isinstance(node, Not) else Not(node)


def _join(nodes: Iterable[Node | bool], kind: type[AllOf] | type[AnyOf], *, absorbing: bool) -> Node | bool:
    preds: set[int] = set()
    parts: dict[Node, None] = {}
    for node in nodes:
        if isinstance(node, bool):
            if node is absorbing:
                return absorbing
        elif isinstance(node, kind) or _single(node):
            preds |= node.preds  # type: ignore[union-attr]
            parts.update(dict.fromkeys(node.parts))  # type: ignore[union-attr]
        else:
            parts[node] = None
    return _built(frozenset(preds), tuple(parts), kind, absorbing=absorbing)


def _built(
    preds: frozenset[int], parts: tuple[Node, ...], kind: type[AllOf] | type[AnyOf], *, absorbing: bool
) -> Node | bool:
    if not preds and not parts:
        return not absorbing
    if not preds and len(parts) == 1:
        return parts[0]
    if len(preds) == 1 and not parts:
        return AnyOf(preds)
    return kind(preds, parts)


def _single(node: Node) -> bool:
    return isinstance(node, AnyOf) and len(node.preds) == 1 and not node.parts


def predicates_of(node: Node) -> frozenset[int]:
    """The numbers of all predicates asked anywhere in it."""
    if isinstance(node, Not):
        return predicates_of(node.part)
    return node.preds.union(*map(predicates_of, node.parts))


def resolve(node: Node, decided: Set[int], true: Set[int]) -> Node | bool:
    """What is left of ``node`` once the predicates ``decided`` are known, those in ``true`` being true."""
    if isinstance(node, Not):
        part = resolve(node.part, decided, true)
        return node if part is node.part else negate(part)
    known, absorbing = node.preds & decided, isinstance(node, AnyOf)
    if absorbing and not known.isdisjoint(true):
        return True
    if not absorbing and not known <= true:
        return False
    parts: list[Node | bool] = []
    for part in node.parts:
        left = resolve(part, decided, true)
        if left is absorbing:
            return absorbing
        parts.append(left)
    if all(map(is_, parts, node.parts)):  # nearly always: most parts ask nothing that is decided
        return _built(node.preds - known, node.parts, type(node), absorbing=absorbing) if known else node
    return _join((*_open(node.preds - known, type(node)), *parts), type(node), absorbing=absorbing)


def _open(preds: Set[int], kind: type[AllOf] | type[AnyOf]) -> tuple[Node, ...]:
    if not preds:
        return ()
    return (AnyOf(frozenset(preds)),) if len(preds) == 1 else (kind(frozenset(preds)),)
