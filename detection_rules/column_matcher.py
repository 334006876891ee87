"""All predicates of one column against one value: the value's *class*, the set of predicates it satisfies."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from math import isfinite
from typing import Any

from detection_rules.predicate import (
    ABSENT,
    Cidr,
    Compare,
    Comparison,
    Exists,
    Null,
    Predicate,
    Regex,
    SameAs,
    Side,
    Text,
    TimePart,
    Unit,
    elements,
    text_of,
)
from detection_rules.regex_databases import Hyperscan
from detection_rules.regex_matcher import RegexMatcher
from detection_rules.rule_cost import Spending
from detection_rules.text_matcher import TextMatcher

_DECIMAL = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?")
_HALVES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


class ColumnMatcher:
    """The predicates of one column, sorted by how they are asked; automata are built at the first text."""

    def __init__(
        self, predicates: Mapping[int, Predicate], *, hyperscan: Hyperscan = True, spending: Spending | None = None
    ) -> None:
        self._spending = spending
        tests = {number: asked.test for number, asked in predicates.items()}
        self.numbers = frozenset(tests)
        self._texts = [(n, test) for n, test in tests.items() if isinstance(test, Text)]
        self._regexes = [(n, test) for n, test in tests.items() if isinstance(test, Regex)]
        self._cidrs = [(n, test) for n, test in tests.items() if isinstance(test, Cidr)]
        self._compares = [(n, test) for n, test in tests.items() if isinstance(test, Compare)]
        self._times = [(n, test) for n, test in tests.items() if isinstance(test, TimePart)]
        self._same = [(n, test) for n, test in tests.items() if isinstance(test, SameAs)]
        self._null = frozenset(n for n, test in tests.items() if isinstance(test, Null))
        self._exists = frozenset(n for n, test in tests.items() if isinstance(test, Exists))
        self._hyperscan = hyperscan
        self._built: tuple[TextMatcher, TextMatcher | None, RegexMatcher | None] | None = None

    def classify(self, value: Any) -> frozenset[int]:
        """The numbers of the predicates that a field's value (``ABSENT``, or any element of a list) satisfies."""
        if value is ABSENT:
            return self._null
        found = set(self._exists)
        for element in elements(value):
            self._ask(element, found)
        return frozenset(found)

    def classify_pair(self, pair: tuple[Any, Any]) -> frozenset[int]:
        """The numbers of the comparisons that two fields' values satisfy, any element with any."""
        return frozenset(
            number
            for number, test in self._same
            if any(_same(test, one, other) for one in elements(pair[0]) for other in elements(pair[1]))
        )

    def _ask(self, value: Any, found: set[int]) -> None:
        if value is None:
            found |= self._null
            return
        text = text_of(value)
        try:
            self._ask_text(text, found)
        except UnicodeEncodeError:  # half characters: neither automaton takes them
            self._ask_text(text.translate(_HALVES), found)
        if self._cidrs:
            found.update(_networks(text, self._cidrs))
        if self._compares:
            found.update(_compared(value, self._compares))
        if self._times:
            found.update(_dated(text, self._times))

    def _ask_text(self, text: str, found: set[int]) -> None:
        folded, cased, regexes = self._built or self._build()
        folded.match(text.casefold(), found)
        if cased is not None:
            cased.match(text, found)
        if regexes is not None:
            regexes.match(text, found)

    def _build(self) -> tuple[TextMatcher, TextMatcher | None, RegexMatcher | None]:
        cased = [(n, test) for n, test in self._texts if test.cased]
        self._built = (
            TextMatcher((n, test) for n, test in self._texts if not test.cased),
            TextMatcher(cased) if cased else None,
            RegexMatcher(self._regexes, hyperscan=self._hyperscan, spending=self._spending) if self._regexes else None,
        )
        return self._built


def _networks(text: str, cidrs: Iterable[tuple[int, Cidr]]) -> Iterable[int]:
    try:
        address = ip_address(text)
    except (ValueError, AddressValueError):
        return ()
    addresses: list[IPv4Address | IPv6Address] = [address]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        addresses.append(address.ipv4_mapped)
    return [n for n, test in cidrs if any(one in test.network for one in addresses)]


def number_of(value: Any) -> int | float | None:
    """The value as a finite number (text in decimal notation too), or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        value = float(value) if _DECIMAL.fullmatch(value) else None
    return value if isinstance(value, float) and isfinite(value) else None


def _compared(value: Any, compares: Iterable[tuple[int, Compare]]) -> Iterable[int]:
    number = number_of(value)
    return [] if number is None else [n for n, test in compares if _compare(number, test)]


def _compare(number: int | float, test: Compare) -> bool:
    match test.comparison:
        case Comparison.LT:
            return number < test.number
        case Comparison.LTE:
            return number <= test.number
        case Comparison.GT:
            return number > test.number
        case Comparison.GTE:
            return number >= test.number


def _dated(text: str, times: Iterable[tuple[int, TimePart]]) -> Iterable[int]:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return []
    return [n for n, test in times if time_part(when, test.unit) == test.number]


def time_part(when: datetime, unit: Unit) -> int:
    """That part of a date and time; the week is ISO 8601's."""
    if unit is Unit.WEEK:
        return when.isocalendar().week
    part: int = getattr(when, unit.value)
    return part


def _same(test: SameAs, one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    here, there = text_of(one), text_of(other)
    if not test.cased:
        here, there = here.casefold(), there.casefold()
    match test.side:
        case Side.WHOLE:
            return here == there
        case Side.START:
            return here.startswith(there)
        case Side.END:
            return here.endswith(there)
        case Side.INSIDE:
            return there in here
