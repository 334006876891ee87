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
        self._anywhere = [frozenset(uses.anywhere) for uses in self._literals.values()]
        self._elsewhere = [None if uses.only_anywhere else uses for uses in self._literals.values()]
        self._overlap = max(map(len, literals), default=1) - 1
        small = sum(map(len, literals)) <= TABLE_CHARACTERS
        kind = Implementation.DFA if small else Implementation.ContiguousNFA
        self._automaton = AhoCorasick(literals, implementation=kind) if literals else None

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
            if matches := self._automaton.find_matches_as_indexes(text, overlapping=True):
                self._use(matches, 0, text, found)
            return
        for start in range(0, len(text), WINDOW):
            window = text[start : start + WINDOW + self._overlap]
            self._use(self._automaton.find_matches_as_indexes(window, overlapping=True), start, text, found)

    def _use(self, matches: list[tuple[int, int, int]], shift: int, text: str, found: set[int]) -> None:
        anywhere, elsewhere, last = self._anywhere, self._elsewhere, len(text) - shift
        checked: set[int] = set()
        for index, start, end in matches:
            found |= anywhere[index]
            uses = elsewhere[index]
            if uses is not None:
                if end == last:
                    found |= uses.at_end
                if start + shift == 0:
                    found |= uses.at_start
                if uses.globs and index not in checked:
                    checked.add(index)
                    found.update(number for number, glob in uses.globs if number not in found and glob.matches(text))
