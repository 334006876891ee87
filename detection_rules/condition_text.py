"""The condition line of a Sigma rule to a tree over its detections' names (specification 2.1, Condition).

Precedence, least binding first: or, and, not, x of. Written here because pySigma 1.5 reads ``notepad`` as ``not epad``
and drops a selector that matches nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from detection_rules.condition import Node, all_of, any_of, negate

MAX_DEPTH = 50

_TOKEN = re.compile(r"\s*(?:([()])|([^\s()]+))")


class ConditionError(Exception):
    """What is wrong with a condition, without its place."""


Lookup = Callable[[str], Node | bool]


def parse_condition(text: str, names: Sequence[str], lookup: Lookup) -> Node | bool:
    """The condition as a tree; ``lookup`` gives the tree of one named detection. Raises ``ConditionError``."""
    if "|" in text:
        raise ConditionError("the pipe in conditions is no longer part of Sigma; write a correlation rule")
    reader = _Reader(tokens=list(_tokens(text)), names=names, lookup=lookup)
    node = reader.either()
    if reader.next:
        raise ConditionError(f"unexpected {reader.next!r} in condition {text!r}")
    return node


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        yield match[1] or match[2]


@dataclass(slots=True, kw_only=True)
class _Reader:
    """A recursive descent over the tokens; one method a precedence."""

    tokens: list[str]
    names: Sequence[str]
    lookup: Lookup
    at: int = field(default=0)
    depth: int = field(default=0)

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.next
        self.at += 1
        return token

    def either(self) -> Node | bool:
        found = [self.both()]
        while self.next == "or":
            self.take()
            found.append(self.both())
        return any_of(found) if len(found) > 1 else found[0]

    def both(self) -> Node | bool:
        found = [self.maybe_not()]
        while self.next == "and":
            self.take()
            found.append(self.maybe_not())
        return all_of(found) if len(found) > 1 else found[0]

    def maybe_not(self) -> Node | bool:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ConditionError(f"nested more than {MAX_DEPTH} deep")
        if self.next == "not":
            self.take()
            found = negate(self.maybe_not())
        else:
            found = self.operand()
        self.depth -= 1
        return found

    def operand(self) -> Node | bool:
        word = self.take()
        if word == "(":
            found = self.either()
            if self.take() != ")":
                raise ConditionError("a bracket is not closed")
            return found
        if self.next == "of":
            self.take()
            return self.selector(word, self.take())
        if word in ("", ")", "and", "or", "of"):
            raise ConditionError(f"an operand is missing before {word!r}" if word else "an operand is missing")
        if word not in self.names:
            raise ConditionError(f"detection {word!r} is not defined")
        return self.lookup(word)

    def selector(self, quantifier: str, pattern: str) -> Node | bool:
        if quantifier not in ("1", "any", "all"):
            raise ConditionError(f"{quantifier!r} of is not part of Sigma: 1, any or all")
        chosen = [name for name in self.names if _selects(pattern, name)]
        if not chosen:
            raise ConditionError(f"'{quantifier} of {pattern}' matches no detection")
        nodes = [self.lookup(name) for name in chosen]
        return all_of(nodes) if quantifier == "all" else any_of(nodes)


def _selects(pattern: str, name: str) -> bool:
    """Whether a selector's pattern takes in a detection; a leading underscore hides one from ``them`` and ``*``."""
    if name.startswith("_") and not pattern.startswith("_"):
        return False
    if pattern == "them":
        return True
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
