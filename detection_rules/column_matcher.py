"""All predicates of one column against one value: the value's *class*, the set of predicates it satisfies."""

import re
from collections.abc import Iterable, Iterator, Mapping
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

KNOWN = 4096  # classes of one column kept to be shared
_DECIMAL = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")  # and what is none costs three exceptions
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
        self._others = bool(self._cidrs or self._compares or self._times)
        self._hyperscan = hyperscan
        self._known: dict[frozenset[int], frozenset[int]] = {}
        self._built: tuple[TextMatcher, TextMatcher | None, RegexMatcher | None] | None = None

    def classify(self, value: Any) -> frozenset[int]:
        """The numbers of the predicates that a field's value (``ABSENT``, or any element of a list) satisfies."""
        if value is ABSENT:
            return self._null
        found = set(self._exists)
        if self._built is not None and self._built[2] is not None:
            self._built[2].begin()
        if type(value) is str:
            try:
                self._ask_text(value, found)
                if self._others:
                    self._ask_others(value, value, found)
            except UnicodeEncodeError:
                self._ask(value, value, found)
        else:
            for element in elements(value):
                if element is None:
                    found |= self._null
                else:
                    self._ask(element, text_of(element), found)
        return self._same_set(frozenset(found))

    def _same_set(self, found: frozenset[int]) -> frozenset[int]:
        """One object for equal classes, so that combinations of them are compared by identity."""
        if not found:
            return found
        if len(self._known) >= KNOWN:
            self._known.clear()
        return self._known.setdefault(found, found)

    def classify_pair(self, pair: tuple[Any, Any]) -> frozenset[int]:
        """The numbers of the comparisons that two fields' values satisfy, any element with any."""
        if type(pair[0]) is str and type(pair[1]) is str:
            return self._same_set(frozenset(self._alike([pair])))
        pairs = [
            (text_of(one), text_of(other))
            for one in elements(pair[0])
            for other in elements(pair[1])
            if one is not None and other is not None
        ]
        return self._same_set(frozenset(self._alike(pairs)))

    def _alike(self, pairs: Iterable[tuple[str, str]]) -> Iterator[int]:
        for one, other in pairs:
            folded = (one.casefold(), other.casefold())
            for number, test in self._same:
                if _same(test.side, *((one, other) if test.cased else folded)):
                    yield number

    def _ask(self, value: Any, text: str, found: set[int]) -> None:
        try:
            self._ask_text(text, found)
        except UnicodeEncodeError:  # half characters: neither automaton takes them
            self._ask_text(text.translate(_HALVES), found)
        self._ask_others(value, text, found)

    def _ask_others(self, value: Any, text: str, found: set[int]) -> None:
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

    def regex_memo(self) -> tuple[int, int]:
        """Steps of our own automata, and those not remembered."""
        regexes = self._built[2] if self._built is not None else None
        return (0, 0) if regexes is None else regexes.memo()

    def _build(self) -> tuple[TextMatcher, TextMatcher | None, RegexMatcher | None]:
        cased = [(n, test) for n, test in self._texts if test.cased]
        self._built = (
            TextMatcher((n, test) for n, test in self._texts if not test.cased),
            TextMatcher(cased) if cased else None,
            RegexMatcher(self._regexes, hyperscan=self._hyperscan, spending=self._spending) if self._regexes else None,
        )
        return self._built


def _networks(text: str, cidrs: Iterable[tuple[int, Cidr]]) -> Iterable[int]:
    if ":" not in text and _IPV4.fullmatch(text) is None:
        return ()
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


def _same(side: Side, here: str, there: str) -> bool:
    match side:
        case Side.WHOLE:
            return here == there
        case Side.START:
            return here.startswith(there)
        case Side.END:
            return here.endswith(there)
        case Side.INSIDE:
            return there in here
