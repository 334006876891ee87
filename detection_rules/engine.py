"""Event groups -> the rules that fire on each event. The heart; read ``plan`` and ``class_cache`` with it.

Each distinct value is matched once (its class), each distinct combination of classes is decided once (the plan), and
both are dicts, so the loop over events that repeat runs in C.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from detection_rules.class_cache import Budget, ValueClasses, hashable
from detection_rules.column_matcher import ColumnMatcher
from detection_rules.condition import predicates_of
from detection_rules.keyword_filter import KeywordFilter, rarity_cost
from detection_rules.keyword_scan import KeywordScan
from detection_rules.narrowing import Narrowing
from detection_rules.plan import Plan, Rules, needed_keywords
from detection_rules.predicate import ABSENT, Column, Exists, Null, Predicate, Text, Wildcard
from detection_rules.regex_databases import Hyperscan
from detection_rules.rule import Rule
from detection_rules.rule_cost import Spending
from soc_model.event import EventGroup, EventType
from soc_model.source import Logsource

CACHE_BYTES = 48 * 1024 * 1024
TYPES = 4096
PLANS = 1024
FEW = 24  # events that are searched for keywords together, once their group has one
NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCounters:
    """How the caches do: what was asked, what was not found in them, and what they lost for want of room.

    ``evicted`` entries were of values and combinations, which share their room; ``plans_evicted`` are apart. Regular
    expressions are counted by characters, and only those that run without Hyperscan.
    """

    events: int
    value_lookups: int
    value_misses: int
    tuple_misses: int
    plans: int
    cache_bytes: int
    clears: int
    evicted: int
    plan_lookups: int
    plan_misses: int
    plans_evicted: int
    tuple_lookups: int = 0
    regex_lookups: int = 0
    regex_misses: int = 0


class Engine:
    """All rules, compiled; decides events and remembers, within ``cache_bytes``, what it has decided."""

    def __init__(
        self,
        rules: Sequence[Rule],
        predicates: dict[Predicate, int],
        *,
        hyperscan: Hyperscan = True,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.rules = rules
        self.events = 0
        self._value_lookups = self._tuple_lookups = self._plan_lookups = self._plan_misses = self._plans_evicted = 0
        self._hyperscan = hyperscan
        self._columns = {number: asked.column for asked, number in predicates.items()}
        self._weak = frozenset(number for asked, number in predicates.items() if _is_weak(asked))
        self._by_column: dict[Column, dict[int, Predicate]] = {}
        for asked, number in predicates.items():
            self._by_column.setdefault(asked.column, {})[number] = asked
        keywords = self._by_column.get(None, {})
        self._keyword_costs = {number: rarity_cost(asked.test) for number, asked in keywords.items()}
        self._budget = Budget(cache_bytes)
        self._spending = Spending()
        self._asking: dict[int, list[int]] = {}  # rules by the expression that runs alone, told each second
        self._classes: dict[Column, ValueClasses] = {}
        self._matchers: list[ColumnMatcher] = []
        self._narrowings: dict[tuple[str, ...], Narrowing] = {}
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._types: dict[EventType, Plan] = {}
        self._filters: dict[frozenset[int], KeywordFilter] = {}
        self._forgotten_misses = 0

    def match(self, group: EventGroup) -> list[Rules]:
        """The numbers of the rules that fire on each event of the group, in order."""
        plan = self.plan(group.type)
        self.events += len(group)
        # The column of all keywords, without which ``fields`` is known, counts its own.
        self._value_lookups += len(group) * (len(plan.columns) - (plan.fields is None))
        if plan.columns and len(group.unparsed) < len(group):
            self._tuple_lookups += len(group)
            columns = [self._column(column, group, plan) for column in plan.columns]
            found = list(map(plan.__getitem__, zip(*columns, strict=True)))
        else:
            found = [plan.always] * len(group)
        for index in group.unparsed:
            found[index] = plan.decide_by_keywords(self.keyword_class([raw_text(group.raws[index])]))
        return found

    def warm(self) -> None:
        """Build every automaton now instead of at its first value, so that forked workers share them."""
        for column in self._by_column:
            if not isinstance(column, tuple):
                self.column_class_of(column, "")

    def plan(self, event_type: EventType) -> Plan:
        """What the type leaves open of all rules."""
        found = self._types.get(event_type)
        self._plan_lookups += 1
        if found is None:
            self._plan_misses += 1
            if len(self._types) >= TYPES:
                self._plans_evicted += len(self._types)
                self._types.clear()
            found = self._types[event_type] = self._plan(event_type)
        return found

    def classes(self, column: Column) -> ValueClasses:
        """The classes of a column's values."""
        found = self._classes.get(column)
        if found is None:
            matcher = ColumnMatcher(self._by_column.get(column, {}), hyperscan=self._hyperscan, spending=self._spending)
            self._matchers.append(matcher)
            ask = matcher.classify_pair if isinstance(column, tuple) else matcher.classify
            found = self._classes[column] = ValueClasses(ask, self._budget)
        return found

    def column_class(self, column: Column, event: dict[str, Any]) -> frozenset[int]:
        """The predicates of the column that one event satisfies."""
        if column is None:
            return self.keyword_class(event.values())
        if isinstance(column, tuple):
            return self.column_class_of(column, (event.get(column[0], ABSENT), event.get(column[1], ABSENT)))
        return self.column_class_of(column, event.get(column, ABSENT))

    def column_of(self, number: int) -> Column:
        """The column that a predicate is asked of."""
        return self._columns[number]

    def column_class_of(self, column: Column, value: Any) -> frozenset[int]:
        """The predicates of the column that one value satisfies."""
        self._value_lookups += 1
        return self.classes(column)[hashable(value)]

    def keyword_class(self, values: Collection[Any]) -> frozenset[int]:
        """The keywords found in any of the values."""
        self._value_lookups += len(values)
        classes = self.classes(None)
        return NOTHING.union(*(classes[hashable(value)] for value in values))

    def counters(self) -> EngineCounters:
        """The caches' counters as of now."""
        memos = [matcher.regex_memo() for matcher in self._matchers]
        return EngineCounters(
            events=self.events,
            value_lookups=self._value_lookups,
            value_misses=sum(classes.misses for classes in self._classes.values()),
            tuple_misses=sum(plan.misses for plan in self._plans.values()) + self._forgotten_misses,
            plans=len(self._plans),
            cache_bytes=self._budget.used_bytes,
            clears=self._budget.clears,
            evicted=self._budget.evicted,
            plan_lookups=self._plan_lookups,
            plan_misses=self._plan_misses,
            plans_evicted=self._plans_evicted,
            tuple_lookups=self._tuple_lookups,
            regex_lookups=sum(steps for steps, _ in memos),
            regex_misses=sum(misses for _, misses in memos),
        )

    def rule_costs(self) -> dict[str, float]:
        """Seconds by rule id of what was the rule's own work since the start; those without any are not there."""
        for number in self._spending.expressions.keys() - self._asking.keys():
            self._asking[number] = [i for i, rule in enumerate(self.rules) if number in _asked(rule)]
        return {self.rules[rule].card.id: spent for rule, spent in self._spending.by_rule(self._asking).items()}

    def _column(self, column: Column, group: EventGroup, plan: Plan) -> list[frozenset[int]]:
        """The class of each event in one column of the plan."""
        events = group.fields
        if column is None:
            if (group.written or group.plain) and plan.keywords.scan.possible:
                return self._scanned_column(group, plan.keywords.scan)
            return self._keyword_column(events, plan.keywords)
        values: list[Any]
        if isinstance(column, tuple):
            one, other = column
            values = [(event.get(one, ABSENT), event.get(other, ABSENT)) for event in events]
        else:
            values = [event.get(column, ABSENT) for event in events]
        classes = self.classes(column)
        try:
            return classes.of(values)
        except TypeError:  # a list among the values: dicts do not take them
            return classes.of(list(map(hashable, values)))

    def _scanned_column(self, group: EventGroup, keywords: KeywordScan) -> list[frozenset[int]]:
        """Looked for in the bytes of all records at once, then in the values of those that may hold one."""
        found = [NOTHING] * len(group)
        for index in keywords.named(group.raws, plain=group.plain):
            found[index] = self.keyword_class(group.fields[index].values())
        return found

    def _keyword_column(self, events: Sequence[dict[str, Any]], keywords: KeywordFilter) -> list[frozenset[int]]:
        """Looked for in all events at once, then where there is one in a few of them, then in each."""
        if not keywords.may_match(events):
            return [NOTHING] * len(events)
        if len(events) == 1:
            return [self.keyword_class(events[0].values())]
        few = FEW if len(events) > FEW else 1
        parts = (events[at : at + few] for at in range(0, len(events), few))
        return [found for part in parts for found in self._keyword_column(part, keywords)]

    def _plan(self, event_type: EventType) -> Plan:
        constants = [(name, value) for name, value in event_type.constants if name in self._by_column]
        self._value_lookups += len(constants)
        classes = tuple((name, self.classes(name)[value]) for name, value in constants)
        key = (event_type.logsource, classes)
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= PLANS:
                self._forget_plans()
            found = self._plans[key] = self._made(event_type.logsource, classes)
        return found

    def _narrowing(self, names: tuple[str, ...]) -> Narrowing:
        """The rules by what they require of the fields of these names."""
        found = self._narrowings.get(names)
        if found is None:
            decided = frozenset(number for name in names for number in self._by_column[name])
            found = self._narrowings[names] = Narrowing(self.rules, decided)
        return found

    def _made(self, logsource: Logsource, classes: Sequence[tuple[str, frozenset[int]]]) -> Plan:
        narrowing = self._narrowing(tuple(name for name, _ in classes))
        left = narrowing.left(logsource, NOTHING.union(*(true for _, true in classes)))
        nodes = {rule: node for rule, node in left.items() if not isinstance(node, bool)}
        return Plan(
            nodes,
            tuple(rule for rule, node in left.items() if node is True),
            keywords=self._filter(needed_keywords(nodes.values(), self._keyword_costs)),
            columns=self._columns,
            weak=self._weak,
            budget=self._budget,
            spending=self._spending,
        )

    def _filter(self, keywords: frozenset[int]) -> KeywordFilter:
        found = self._filters.get(keywords)
        if found is None:
            tests = [self._by_column[None][number].test for number in keywords]
            found = self._filters[keywords] = KeywordFilter(tests, hyperscan=self._hyperscan)
        return found

    def _forget_plans(self) -> None:
        self._forgotten_misses += sum(plan.misses for plan in self._plans.values())
        for plan in self._plans.values():
            self._budget.leave(plan.age)
        self._plans_evicted += len(self._types)
        self._plans.clear()
        self._types.clear()
        self._filters.clear()
        self._narrowings.clear()


def _asked(rule: Rule) -> frozenset[int]:
    return NOTHING.union(*(predicates_of(variant.condition) for variant in rule.variants))


def _is_weak(asked: Predicate) -> bool:
    """Whether a predicate holds for most events, so that its presence says little."""
    return isinstance(asked.test, Null | Exists) or asked.test == Text((Wildcard.MANY,))


def raw_text(raw: bytes) -> str:
    """A record as text, whatever its bytes."""
    return raw.decode("utf-8", "backslashreplace")
