"""Regular expressions without backtracking, for where Hyperscan is missing: time is linear in the text.

Python's parse tree becomes a nondeterministic automaton whose sets of states are remembered as they are met. Classes
such as ``\\w`` are ASCII, as in PCRE; ``i`` ignores the case of any letter, as in Hyperscan.
"""

import re
from collections.abc import Callable, Iterable
from re import _parser  # type: ignore[attr-defined]  # the grammar's own parser
from typing import Any

from detection_rules.regex_check import parse_regex

MAX_KNOWN = 4096
BUDGET = 2_000_000  # states visited for one text beyond which the rest of it is given up

WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_CLASSES: dict[str, frozenset[str]] = {
    "WORD": WORD,
    "DIGIT": frozenset("0123456789"),
    "SPACE": frozenset(" \t\n\r\f\v"),
}

Accepts = Callable[[str], bool]
Position = tuple[str, str, bool]  # the character before, the one after (empty: none), whether that is the last newline
MATCH = -1


class LinearRegex:
    """One expression, compiled; ``search`` says whether it is found anywhere.

    ``steps``: characters it was given; ``misses``: of these the ones whose step was not remembered.
    """

    def __init__(self, pattern: str, flags: str) -> None:
        tree = parse_regex(pattern, flags)
        self._splits: dict[int, tuple[int, ...]] = {}
        self._guards: dict[int, tuple[Callable[[Position], bool], int]] = {}
        self._size = 0
        self._characters: dict[int, tuple[Accepts, int]] = {}
        self._begin = self._sequence(tree, MATCH, tree.state.flags)
        self._known: dict[tuple[frozenset[int], str, str], frozenset[int] | None] = {}
        self._work = 0
        self.steps = 0
        self.misses = 0

    def search(self, text: str) -> bool:
        """Whether the expression is found in ``text``; a text that costs too much counts as far as it was read."""
        states: frozenset[int] = frozenset()
        before = ""
        self._work = 0
        last = len(text) - 1
        self.steps += len(text)
        for index, character in enumerate(text):
            if index == last and character == "\n":
                following = self._step(states, (before, character, True))
            else:
                following = self._remembered(states, before, character)
            if following is None:
                return True
            if self._work > BUDGET:
                return False
            states, before = following, character
        return self._step(states, (before, "", False)) is None

    def _remembered(self, states: frozenset[int], before: str, character: str) -> frozenset[int] | None:
        key = (states, _kind(before), character)
        if key not in self._known:
            self.misses += 1
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._step(states, (before, character, False))
        return self._known[key]

    def _step(self, states: frozenset[int], position: Position) -> frozenset[int] | None:
        """The states after the character at ``position``; None once the expression is found."""
        reached = self._closure((*states, self._begin), position)
        self._work += len(reached)
        if MATCH in reached:
            return None
        character = position[1]
        if not character:
            return frozenset()
        here = (self._characters[state] for state in reached if state in self._characters)
        return frozenset(target for accepts, target in here if accepts(character))

    def _closure(self, states: Iterable[int], position: Position) -> set[int]:
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in reached:
                continue
            reached.add(state)
            waiting.extend(self._splits.get(state, ()))
            guard = self._guards.get(state)
            if guard is not None and guard[0](position):
                waiting.append(guard[1])
        return reached

    def _new(self) -> int:
        self._size += 1
        return self._size

    def _sequence(self, tree: Any, target: int, flags: int) -> int:
        """The state from which the tree's operators lead to ``target``."""
        for operator, argument in reversed(list(tree)):
            target = self._operator(str(operator), argument, target, flags)
        return target

    def _operator(self, operator: str, argument: Any, target: int, flags: int) -> int:
        state = self._new()
        if operator == "BRANCH":
            self._splits[state] = tuple(self._sequence(one, target, flags) for one in argument[1])
        elif operator == "SUBPATTERN":
            _, added, removed, inner = argument
            self._splits[state] = (self._sequence(inner, target, (flags | added) & ~removed),)
        elif operator in ("MAX_REPEAT", "MIN_REPEAT"):
            self._splits[state] = (self._repeat(argument, target, flags),)
        elif operator == "AT":
            self._guards[state] = (_guard(str(argument), flags), target)
        else:
            self._characters[state] = (_accepts(operator, argument, flags), target)
        return state

    def _repeat(self, argument: Any, target: int, flags: int) -> int:
        low, high, inner = argument
        if high is _parser.MAXREPEAT:
            loop = self._new()
            self._splits[loop] = (self._sequence(inner, loop, flags), target)
            target = loop
        else:
            after = target
            for _ in range(high - low):
                once = self._new()
                self._splits[once] = (self._sequence(inner, target, flags), after)
                target = once
        for _ in range(low):
            target = self._sequence(inner, target, flags)
        return target


def _kind(character: str) -> str:
    """What a guard can tell of the character before: none, a newline, part of a word, or another."""
    if character in ("", "\n"):
        return character
    return "w" if character in WORD else "x"


def _guard(name: str, flags: int) -> Callable[[Position], bool]:
    if name == "AT_BEGINNING" and flags & re.MULTILINE:
        return lambda position: position[0] in ("", "\n")
    if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return lambda position: not position[0]
    if name == "AT_END" and flags & re.MULTILINE:
        return lambda position: position[1] in ("", "\n")
    if name == "AT_END":
        return lambda position: not position[1] or position[2]
    if name == "AT_END_STRING":
        return lambda position: not position[1]
    inside = name == "AT_BOUNDARY"
    return lambda position: ((position[0] in WORD) != (position[1] in WORD)) is inside


def _accepts(operator: str, argument: Any, flags: int) -> Accepts:
    if operator == "ANY":
        return (lambda character: True) if flags & re.DOTALL else (lambda character: character != "\n")
    if operator == "IN":
        return _set(argument, flags)
    plain = _member(operator.removeprefix("NOT_"), argument)
    if flags & re.IGNORECASE:
        plain = _any_case(plain)
    return (lambda character: not plain(character)) if operator.startswith("NOT_") else plain


def _set(items: Any, flags: int) -> Accepts:
    negated = str(items[0][0]) == "NEGATE"
    members = [_member(str(operator), argument) for operator, argument in items[negated:]]
    if flags & re.IGNORECASE:
        members = [_any_case(member) for member in members]
    return lambda character: any(member(character) for member in members) is not negated


def _member(operator: str, argument: Any) -> Accepts:
    if operator == "LITERAL":
        literal = chr(argument)
        return lambda character: character == literal
    if operator == "RANGE":
        low, high = argument
        return lambda character: low <= ord(character) <= high
    if operator == "CATEGORY":
        name = str(argument).removeprefix("CATEGORY_")
        members = _CLASSES[name.removeprefix("NOT_")]
        return lambda character: (character in members) is not name.startswith("NOT_")
    raise ValueError(f"no automaton for {operator}")


def _any_case(member: Accepts) -> Accepts:
    return lambda character: any(
        member(form) for form in {character, character.lower(), character.upper()} if len(form) == 1
    )
