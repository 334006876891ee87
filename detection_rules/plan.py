"""What is left of all rules for one type of event, and the memo from tuples of classes to rules.

A plan is a dict: key, the classes of an event's fields in the order of ``columns``; value, the numbers of the rules
that fire. A key seen for the first time evaluates only rules whose *witness* is present: a set of predicates of which
one must be true wherever the rule fires (for and the cheapest part's, for or the union, for not there is none).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cached_property
from itertools import chain

from detection_rules.class_cache import Budget, Generations
from detection_rules.condition import AllOf, AnyOf, Node, Not, predicates_of
from detection_rules.keyword_filter import KeywordFilter
from detection_rules.predicate import Column
from detection_rules.rule_cost import Spending

Rules = tuple[int, ...]
Key = tuple[frozenset[int], ...]

#: All of the first are true, none of the second, one of each of the third; and the rest holds.
Parts = tuple[frozenset[int], frozenset[int], tuple[frozenset[int], ...], tuple[Node, ...]]

ENTRY_BYTES = 200
CLASS_BYTES = 8
OTHER_COST = 10**12  # of a predicate that is no keyword: never in place of one


class Plan(Generations[Key, Rules]):
    """The rules that an event type leaves open. ``always`` fire on every event of the type.

    ``fields`` are the names of the fields that matter, or None where keyword rules look at all of them.
    """

    def __init__(
        self,
        nodes: Mapping[int, Node],
        always: Rules,
        *,
        keywords: KeywordFilter,
        columns: Mapping[int, Column],
        weak: Set[int],
        budget: Budget,
        spending: Spending,
    ) -> None:
        """``columns``: the column of each predicate; ``weak`` predicates hold for most events: poor witnesses."""
        super().__init__()
        self.nodes = dict(nodes)
        self.always = always
        self.keywords = keywords
        asked = self._asked = {rule: predicates_of(node) for rule, node in nodes.items()}
        self.columns: tuple[Column, ...] = tuple(
            sorted({columns[number] for numbers in asked.values() for number in numbers}, key=str)
        )
        self.keyword_rules = {
            rule: ours
            for rule, numbers in asked.items()
            if (ours := frozenset(number for number in numbers if columns[number] is None))
        }
        self.fields: frozenset[str] | None = None if None in self.columns else frozenset(_names(self.columns))
        self.misses = 0
        self._budget = budget
        self._spending = spending
        self._weak = weak
        self._parts = _PartsOf(self.nodes)
        budget.share(self.age)

    @cached_property
    def _witnessing(self) -> tuple[dict[int, list[int]], list[int]]:
        """The rules by their witnesses, and those that have none; made at the first combination."""
        return _witnesses(self.nodes, self._asked, self._weak)

    def __missing__(self, key: Key) -> Rules:
        found = self.old.pop(key, None)
        if found is None:
            self.misses += 1
            found = self.decide(frozenset().union(*key))
        self._budget.spend(ENTRY_BYTES + CLASS_BYTES * len(key))
        self[key] = found
        return found

    def decide(self, present: frozenset[int]) -> Rules:
        """The rules that fire when exactly the predicates ``present`` are true, in order."""
        witnesses, unwitnessed = self._witnessing
        candidates = set(unwitnessed)
        for number in present & witnesses.keys():
            candidates.update(witnesses[number])
        if self._spending.due():
            fired = self._spending.timed(candidates, self.nodes, present)
        else:
            parts = self._parts
            fired = [rule for rule in candidates if _hold(parts[rule], present)]
        return tuple(sorted((*self.always, *fired))) if fired else self.always

    def decide_by_keywords(self, present: frozenset[int]) -> Rules:
        """The rules that fire on an event without fields, because of a keyword that was found in it."""
        return tuple(
            rule
            for rule, keywords in self.keyword_rules.items()
            if not keywords.isdisjoint(present)
            and self.nodes[rule].holds(present)
            and not self.nodes[rule].holds(frozenset())
        )


class _PartsOf(dict[int, Parts]):
    """The parts of the rules that were candidates."""

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        super().__init__()
        self._nodes = nodes

    def __missing__(self, rule: int) -> Parts:
        found = self[rule] = _parts(self._nodes[rule])
        return found


def _parts(node: Node) -> Parts:
    """The conditions that must all hold for the node to hold, sorted by how they are asked."""
    every, nodes = (node.preds, node.parts) if isinstance(node, AllOf) else (frozenset[int](), (node,))
    none, some, others = set[int](), list[frozenset[int]](), list[Node]()
    for part in nodes:
        if isinstance(part, Not) and isinstance(part.part, AnyOf):
            none |= part.part.preds
            others += map(Not, part.part.parts)
        elif isinstance(part, AnyOf) and not part.parts:
            some.append(part.preds)
        else:
            others.append(part)
    return every, frozenset(none), tuple(some), tuple(others)


def _hold(parts: Parts, present: frozenset[int]) -> bool:
    every, none, some, others = parts
    if not (every <= present and none.isdisjoint(present)):
        return False
    for one in some:
        if one.isdisjoint(present):
            return False
    for part in others:  # noqa: SIM110  (as in ``condition``)
        if not part.holds(present):
            return False
    return True


def _names(columns: Iterable[Column]) -> Iterator[str]:
    for column in columns:
        yield from column if isinstance(column, tuple) else (column,) if column is not None else ()


def _witnesses(
    nodes: Mapping[int, Node], asked: Mapping[int, frozenset[int]], weak: Set[int]
) -> tuple[dict[int, list[int]], list[int]]:
    """(rules by each predicate of their witness, rules that have none)."""
    uses = Counter(chain.from_iterable(asked.values()))
    # Predicates of many rules are those of common values: how often one is likely to be present for nothing.
    costs = {number: used + (1000 if number in weak else 0) for number, used in uses.items()}
    found: dict[int, list[int]] = {}
    without = []
    for rule, node in nodes.items():
        witness = witness_of(node, costs)
        if witness is None:
            without.append(rule)
        for number in witness or ():
            found.setdefault(number, []).append(rule)
    return found, without


def witness_of(node: Node, costs: Mapping[int, int]) -> frozenset[int] | None:
    """Predicates of which at least one is true wherever ``node`` holds, the cheapest; None where there is no such."""
    match node:
        case Not():
            return None
        case AnyOf():
            found = [witness_of(part, costs) for part in node.parts]
            known = [one for one in found if one is not None]
            return node.preds.union(*known) if len(known) == len(found) else None
        case AllOf():
            number = min(node.preds, key=costs.__getitem__, default=None)
            ours = [] if number is None else [frozenset((number,))]
            if number is not None and costs[number] <= 1:
                return ours[0]  # nothing is cheaper
            theirs = [one for part in node.parts if (one := witness_of(part, costs)) is not None]
            return min((*ours, *theirs), key=lambda witness: sum(map(costs.__getitem__, witness)), default=None)


def needed_keywords(nodes: Iterable[Node], costs: Mapping[int, int]) -> frozenset[int]:
    """The keywords without which no rule can fire or be kept from firing: where none of them is, none counts.

    ``costs``: of each keyword, how likely it is found for nothing. Of a rule that fires only where a keyword is, the
    cheapest such set; of any other rule all its keywords.
    """
    found: set[int] = set()
    for node in nodes:
        asked = predicates_of(node)
        ours = asked & costs.keys()
        if ours:
            witness = witness_of(node, {number: costs.get(number, OTHER_COST) for number in asked})
            found |= witness if witness is not None and witness <= ours else ours
    return frozenset(found)
