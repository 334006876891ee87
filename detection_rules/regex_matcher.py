"""All regular expressions of one column against one text at once: in Hyperscan where it is installed.

Where it is missing, our own automata run them in linear time too, each on as much of a value as all of them together
can read within ``STEPS`` (with a hundred expressions its first 20,000 characters). Only what needs backtracking runs in
``re``, on the first ``BACKTRACKING_BYTES`` characters of a text. Nothing is compiled before the first text comes.
"""

import re
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

from detection_rules.linear_regex import LinearRegex
from detection_rules.predicate import Regex
from detection_rules.regex_check import BACKTRACKING_BYTES, needs_backtracking, python_flags
from detection_rules.regex_databases import Databases, Hyperscan, chunks, databases_of
from detection_rules.rule_cost import Spending

STEPS = 2_000_000  # characters that all of our own automata of a column read of one value together

Numbered = tuple[int, Regex]
Searching = LinearRegex | re.Pattern[str]


class RegexMatcher:
    """Matches texts as they are, case and all. ``hyperscan=False`` does without it, as where it is not installed.

    What runs by itself, outside Hyperscan, is told to ``spending``.
    """

    def __init__(
        self, patterns: Iterable[Numbered], *, hyperscan: Hyperscan = True, spending: Spending | None = None
    ) -> None:
        self._spending = spending or Spending()
        self._pending: list[Numbered] | None = list(patterns)
        self._hyperscan = hyperscan
        self._databases: list[tuple[Any, list[list[int]]]] = []
        self._room = STEPS
        self._others: list[tuple[list[int], LinearRegex]] = []
        self._backtracking: list[tuple[list[int], re.Pattern[str]]] = []

    def match(self, text: str, found: set[int]) -> None:
        """Add the numbers of all expressions found in ``text``, which must hold no lone surrogates."""
        if self._pending is not None:
            self._compile(self._pending)
            self._pending = None
        if self._databases:
            data = text.encode()
            for database, numbers in self._databases:
                database.scan(data, match_event_handler=_collect, context=(found, numbers))
        if self._others:
            read = text[: max(self._room, 0) // len(self._others)]
            self._room -= (len(read) + 1) * len(self._others)
            self._alone([one for one in self._others if not found.issuperset(one[0])], read, found)
        if self._backtracking:
            self._alone(self._backtracking, text[:BACKTRACKING_BYTES], found)

    def _alone(self, searches: Iterable[tuple[Sequence[int], Searching]], text: str, found: set[int]) -> None:
        """One after the other, each timed; those who share an expression share what it took."""
        for numbers, pattern in searches:
            began = perf_counter()
            if pattern.search(text):
                found.update(numbers)
            spent = (perf_counter() - began) / len(numbers)
            for number in numbers:
                self._spending.expression(number, spent)

    def begin(self) -> None:
        """The texts to come are of one value: all of them together may cost ``STEPS``."""
        self._room = STEPS

    def memo(self) -> tuple[int, int]:
        """How often our own automata asked for a step, and how often they did not remember it."""
        return sum(one.steps for _, one in self._others), sum(one.misses for _, one in self._others)

    def _compile(self, patterns: list[Numbered]) -> None:
        numbers: dict[Regex, list[int]] = {}
        for number, regex in patterns:
            numbers.setdefault(regex, []).append(number)
        hard = [regex for regex in numbers if needs_backtracking(regex.pattern, regex.flags)]
        self._backtracking = [
            (numbers.pop(regex), re.compile(regex.pattern, python_flags(regex.flags))) for regex in hard
        ]
        databases = databases_of(self._hyperscan)
        taken = set() if databases is None else self._take(numbers, databases)
        self._others = [
            (ours, LinearRegex(regex.pattern, regex.flags)) for regex, ours in numbers.items() if regex not in taken
        ]

    def _take(self, numbers: dict[Regex, list[int]], databases: Databases) -> set[Regex]:
        """The expressions that are now in databases."""
        taken: set[Regex] = set()
        for chunk in chunks(list(numbers)):
            database, places = databases.database(chunk)
            if places:
                self._databases.append((database, [numbers[regex] for regex in chunk]))
                taken.update(chunk[place] for place in places)
        return taken


def _collect(place: int, start: int, end: int, flags: int, context: Any) -> None:
    found, numbers = context
    found.update(numbers[place])
