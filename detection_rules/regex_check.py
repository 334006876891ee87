"""What a regular expression would cost, read from its parse tree before it is ever run.

The specification's regular expressions are alternation, classes, anchors and repeats: those run in linear time, in
Hyperscan or in our own automaton. What needs backtracking (look-around, back-references, atomic groups) runs in ``re``
on few bytes, and only where the tree shows that it cannot blow up.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # the only parser of this grammar; stable since 3.11
from typing import Any

MAX_POSITIONS = 20_000
MAX_REPEAT = 32_767  # Hyperscan's bound
BACKTRACKING_BYTES = 4096

_BACKTRACKING = {"ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS", "ATOMIC_GROUP", "POSSESSIVE_REPEAT"}
_SUBTREE = {"SUBPATTERN": 3, "MAX_REPEAT": 2, "MIN_REPEAT": 2, "POSSESSIVE_REPEAT": 2, "ASSERT": 1, "ASSERT_NOT": 1}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


def python_flags(flags: str) -> re.RegexFlag:
    """The flags for ``re``: classes such as ``\\w`` are ASCII, as in PCRE without its Unicode option."""
    found = re.ASCII
    for flag in flags:
        found |= _FLAGS[flag]
    return found


def parse_regex(pattern: str, flags: str) -> Any:
    """Python's parse tree: a sequence of (operator, argument) with ``state.flags`` as finally set."""
    return _parser.parse(pattern, python_flags(flags))


@lru_cache(maxsize=4096)
def check_regex(pattern: str, flags: str) -> str:
    """Why the expression is refused, or the empty string."""
    try:
        tree = parse_regex(pattern, flags)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        return f"not valid: {error}"
    if tree.state.flags & re.LOCALE or tree.state.flags & re.VERBOSE:
        return "the inline flags L and x are not part of Sigma"
    if _positions(tree) > MAX_POSITIONS:
        return "its repeats unfold too far"
    if needs_backtracking(pattern, flags) and (_nests(tree, inside=False) or _variable_repeats(tree) > 1):
        return "needs backtracking over more than one repeat, which a crafted value could stall"
    return ""


@lru_cache(maxsize=4096)
def needs_backtracking(pattern: str, flags: str) -> bool:
    """Whether the expression has parts outside the specification's flavour that no automaton runs."""
    return any(str(operator) in _BACKTRACKING for operator, _ in _walk(parse_regex(pattern, flags)))


def _children(operator: Any, argument: Any) -> list[Any]:
    """The subtrees of one operator."""
    name = str(operator)
    if name == "BRANCH":
        return list(argument[1])
    if name == "GROUPREF_EXISTS":
        return [one for one in argument[1:] if one is not None]
    if name == "ATOMIC_GROUP":
        return [argument]
    return [argument[_SUBTREE[name]]] if name in _SUBTREE else []


def _walk(tree: Any) -> Iterator[tuple[Any, Any]]:
    for operator, argument in tree:
        yield operator, argument
        for child in _children(operator, argument):
            yield from _walk(child)


def _positions(tree: Any) -> int:
    """States of the automaton with every repeat written out."""
    total = 0
    for operator, argument in tree:
        inner = sum(map(_positions, _children(operator, argument)))
        if str(operator) in _REPEATS:
            low, high = argument[0], argument[1]
            times = low + 1 if high is _parser.MAXREPEAT else high
            inner *= max(times, 1)
            if low > MAX_REPEAT or (high is not _parser.MAXREPEAT and high > MAX_REPEAT):
                inner = MAX_POSITIONS + 1
        total += max(inner, 1)
        if total > MAX_POSITIONS:
            return total
    return total


def _varies(operator: Any, argument: Any) -> bool:
    return str(operator) in _REPEATS and argument[0] != argument[1]


def _variable_repeats(tree: Any) -> int:
    return sum(_varies(operator, argument) for operator, argument in _walk(tree))


def _nests(tree: Any, *, inside: bool) -> bool:
    """Whether a repeat or an alternation stands inside a repeat."""
    for operator, argument in tree:
        repeats = str(operator) in _REPEATS and argument[1] != 1
        if inside and (repeats or str(operator) == "BRANCH"):
            return True
        if any(_nests(child, inside=inside or repeats) for child in _children(operator, argument)):
            return True
    return False
