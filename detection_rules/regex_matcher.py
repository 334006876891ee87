"""All regular expressions of one column against one text at once: in Hyperscan where it is installed.

Where it is missing, our own automata run them in linear time too, each on as much of a value as all of them together
can read within ``STEPS`` (with a hundred expressions its first 20,000 characters). Only what needs backtracking runs in
``re``, on the first ``BACKTRACKING_BYTES`` characters of a text. Nothing is compiled before the first text comes.
"""

import re
from collections.abc import Iterable
from importlib.util import find_spec
from time import perf_counter
from typing import Any

from detection_rules.linear_regex import LinearRegex
from detection_rules.predicate import Regex
from detection_rules.regex_check import BACKTRACKING_BYTES, needs_backtracking, python_flags
from detection_rules.rule_cost import Spending

STEPS = 2_000_000  # characters that all of our own automata of a column read of one value together

Numbered = tuple[int, Regex]
Searching = LinearRegex | re.Pattern[str]


class RegexMatcher:
    """Matches texts as they are, case and all. ``hyperscan=False`` does without it, as where it is not installed.

    What runs by itself, outside Hyperscan, is told to ``spending``.
    """

    def __init__(
        self, patterns: Iterable[Numbered], *, hyperscan: bool = True, spending: Spending | None = None
    ) -> None:
        self._spending = spending or Spending()
        self._pending: list[Numbered] | None = list(patterns)
        self._hyperscan = hyperscan
        self._database: Any = None
        self._room = STEPS
        self._others: list[tuple[int, LinearRegex]] = []
        self._backtracking: list[tuple[int, re.Pattern[str]]] = []

    def match(self, text: str, found: set[int]) -> None:
        """Add the numbers of all expressions found in ``text``, which must hold no lone surrogates."""
        if self._pending is not None:
            self._compile(self._pending)
            self._pending = None
        if self._database is not None:
            self._database.scan(text.encode(), match_event_handler=_collect, context=found)
        if self._others:
            read = text[: max(self._room, 0) // len(self._others)]
            self._room -= (len(read) + 1) * len(self._others)
            self._alone([one for one in self._others if one[0] not in found], read, found)
        if self._backtracking:
            self._alone(self._backtracking, text[:BACKTRACKING_BYTES], found)

    def _alone(self, searches: Iterable[tuple[int, Searching]], text: str, found: set[int]) -> None:
        for number, pattern in searches:
            began = perf_counter()
            if pattern.search(text):
                found.add(number)
            self._spending.expression(number, perf_counter() - began)

    def begin(self) -> None:
        """The texts to come are of one value: all of them together may cost ``STEPS``."""
        self._room = STEPS

    def memo(self) -> tuple[int, int]:
        """How often our own automata asked for a step, and how often they did not remember it."""
        return sum(one.steps for _, one in self._others), sum(one.misses for _, one in self._others)

    def _compile(self, patterns: list[Numbered]) -> None:
        linear = [one for one in patterns if not needs_backtracking(*_key(one))]
        self._backtracking = [
            (number, re.compile(regex.pattern, python_flags(regex.flags)))
            for number, regex in patterns
            if needs_backtracking(regex.pattern, regex.flags)
        ]
        self._database, taken = _database(linear) if self._hyperscan and linear else (None, set())
        self._others = [
            (number, LinearRegex(*_key((number, regex)))) for number, regex in linear if number not in taken
        ]


def has_hyperscan() -> bool:
    """Whether Hyperscan is installed."""
    return find_spec("hyperscan") is not None


def _key(numbered: Numbered) -> tuple[str, str]:
    return numbered[1].pattern, numbered[1].flags


def _collect(number: int, start: int, end: int, flags: int, found: Any) -> None:
    found.add(number)


def _database(patterns: list[Numbered]) -> tuple[Any, set[int]]:
    """(A Hyperscan database, the numbers in it); without those it does not take, (None, none) where it is missing."""
    if not has_hyperscan():
        return None, set()
    import hyperscan  # noqa: PLC0415  (optional, and only processes that match need it)

    taken = list(patterns)
    try:
        return _compiled(hyperscan, taken), {number for number, _ in taken}
    except hyperscan.error:
        taken = [one for one in patterns if _takes(hyperscan, one)]
    return (_compiled(hyperscan, taken), {number for number, _ in taken}) if taken else (None, set())


def _takes(hyperscan: Any, numbered: Numbered) -> bool:
    try:
        _compiled(hyperscan, [numbered])
    except hyperscan.error:
        return False
    return True


def _compiled(hyperscan: Any, patterns: list[Numbered]) -> Any:
    flags = {"i": hyperscan.HS_FLAG_CASELESS, "m": hyperscan.HS_FLAG_MULTILINE, "s": hyperscan.HS_FLAG_DOTALL}
    common = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
    database = hyperscan.Database()
    database.compile(
        expressions=[regex.pattern.encode() for _, regex in patterns],
        ids=[number for number, _ in patterns],
        flags=[common | sum(flags[flag] for flag in regex.flags) for _, regex in patterns],
    )
    return database
