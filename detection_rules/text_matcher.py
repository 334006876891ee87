"""All text patterns of one column against one text at once.

Whole texts stand in a dict, everything that holds a literal in one Aho-Corasick automaton (design: 20,000 patterns
build in 87 ms), and what has wildcards inside is checked only where its longest literal was found.
"""

from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick, Implementation

from detection_rules.glob import Glob
from detection_rules.predicate import Part, Text, Wildcard

WINDOW = 1 << 16  # longer texts are searched piece by piece, so that a flood of matches stays small
TABLE_CHARACTERS = (
    10_000  # of literals up to which a table of all states is small; it reads long texts 1.4 times faster
)

MANY = Wildcard.MANY


class _Uses:
    """What finding one literal means, by where it is found: predicate numbers, and patterns still to check."""

    __slots__ = ("anywhere", "at_end", "at_start", "globs")

    def __init__(self) -> None:
        self.anywhere: set[int] = set()
        self.at_start: set[int] = set()
        self.at_end: set[int] = set()
        self.globs: list[tuple[int, Glob]] = []

    @property
    def only_anywhere(self) -> bool:
        return not (self.at_start or self.at_end or self.globs)


class TextMatcher:
    """Matches texts that are folded the way the patterns are."""

    def __init__(self, patterns: Iterable[tuple[int, Text]]) -> None:
        self._always: list[int] = []
        self._whole: dict[str, list[int]] = {}
        self._unindexed: list[tuple[int, Glob]] = []
        self._literals: dict[str, _Uses] = {}
        for number, text in patterns:
            self._add(number, text.parts)
        literals = list(self._literals)
        self._anywhere = {literal: frozenset(uses.anywhere) for literal, uses in self._literals.items()}
        self._elsewhere = frozenset(literal for literal, uses in self._literals.items() if not uses.only_anywhere)
        self._overlap = max(map(len, literals), default=1) - 1
        small = sum(map(len, literals)) <= TABLE_CHARACTERS
        kind = Implementation.DFA if small else Implementation.ContiguousNFA
        # What is found is told by the literal itself: places and new texts for them cost as much as the search.
        self._automaton = AhoCorasick(literals, implementation=kind, store_patterns=True) if literals else None

    def _add(self, number: int, parts: tuple[Part, ...]) -> None:
        match parts:
            case ():
                self._whole.setdefault("", []).append(number)
            case (str(literal),):
                self._whole.setdefault(literal, []).append(number)
            case (Wildcard.MANY,):
                self._always.append(number)
            case (Wildcard.MANY, str(literal), Wildcard.MANY):
                self._literals.setdefault(literal, _Uses()).anywhere.add(number)
            case (str(literal), Wildcard.MANY):
                self._literals.setdefault(literal, _Uses()).at_start.add(number)
            case (Wildcard.MANY, str(literal)):
                self._literals.setdefault(literal, _Uses()).at_end.add(number)
            case _:
                self._add_glob(number, Glob(parts))

    def _add_glob(self, number: int, glob: Glob) -> None:
        if glob.literal:
            self._literals.setdefault(glob.literal, _Uses()).globs.append((number, glob))
        else:
            self._unindexed.append((number, glob))

    def match(self, text: str, found: set[int]) -> None:
        """Add the numbers of all patterns that ``text`` matches; it must hold no lone surrogates."""
        if self._always:
            found.update(self._always)
        if (whole := self._whole.get(text)) is not None:
            found.update(whole)
        if self._unindexed:
            found.update(number for number, glob in self._unindexed if glob.matches(text))
        if self._automaton is None:
            return
        if len(text) <= WINDOW:
            if literals := self._automaton.find_matches_as_strings(text, overlapping=True):
                self._use(set(literals), text, found)
            return
        for start in range(0, len(text), WINDOW):
            window = text[start : start + WINDOW + self._overlap]
            self._use(set(self._automaton.find_matches_as_strings(window, overlapping=True)), text, found)

    def _use(self, literals: set[str], text: str, found: set[int]) -> None:
        found.update(*map(self._anywhere.__getitem__, literals))
        for literal in literals & self._elsewhere:
            uses = self._literals[literal]
            if uses.at_end and text.endswith(literal):
                found |= uses.at_end
            if uses.at_start and text.startswith(literal):
                found |= uses.at_start
            if uses.globs:
                found.update(number for number, glob in uses.globs if number not in found and glob.matches(text))
