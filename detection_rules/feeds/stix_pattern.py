"""STIX 2.1 patterns as far as one value alone decides: equality, IN, ISSUBSET of a network, and OR of these.

Everything else (AND, NOT, LIKE, MATCHES, FOLLOWEDBY, qualifiers) needs more than one value or is no value; such a
pattern is refused with the word that makes it so.
"""

import re
from typing import NamedTuple

PATTERN_CHARS = 20_000
TERMS = 1_000
_WORD = r"[A-Za-z_][A-Za-z0-9_:.\-]*(?:'[A-Za-z0-9-]+')?"  # with a key in quotes: file:hashes.'SHA-256'
_TOKEN = re.compile(rf"\s*(?:'((?:[^'\\]|\\.)*)'|({_WORD})|([\[\]()=,]|!=|<=?|>=?)|(\d\S*))")
#: The kind of value that a path holds; the empty kind is found from the value.
PATHS = {
    "domain-name:value": "domain",
    "url:value": "url",
    "ipv4-addr:value": "address",
    "ipv6-addr:value": "address",
    "email-addr:value": "email",
    "email-message:from_ref.value": "email",
    "email-message:sender_ref.value": "email",
    "network-traffic:src_ref.value": "",
    "network-traffic:dst_ref.value": "",
    "domain-name:resolves_to_refs.value": "",
    "file:hashes.md5": "md5",
    "file:hashes.sha-1": "sha1",
    "file:hashes.sha1": "sha1",
    "file:hashes.sha-256": "sha256",
    "file:hashes.sha256": "sha256",
    "file:hashes.sm3": "sm3",
}
_OPERATORS = frozenset({"=", "IN", "ISSUBSET"})


class Term(NamedTuple):
    """A value that the pattern is true of."""

    kind: str
    value: str


class PatternProblem(Exception):
    """Why a pattern is not taken."""


def terms_of(pattern: str) -> list[Term]:
    """The values of a pattern; raises PatternProblem for one that is more than a choice of values."""
    if len(pattern) > PATTERN_CHARS:
        raise PatternProblem(f"the pattern is longer than {PATTERN_CHARS} characters")
    tokens = _tokens(pattern)
    _check_brackets(tokens)
    found: list[Term] = []
    at = 0
    wants_term = True
    while at < len(tokens):
        word = tokens[at]
        if word in ("[", "("):
            _expect(wants_term, word)
        elif word in ("]", ")"):
            _expect(not wants_term, word)
        elif word == "OR":
            _expect(not wants_term, word)
            wants_term = True
        else:
            _expect(wants_term, word)
            at = _comparison(tokens, at, found)
            wants_term = False
            continue
        at += 1
    _expect(not wants_term, "its end")
    if len(found) > TERMS:
        raise PatternProblem(f"it names more than {TERMS} values")
    return found


def _expect(holds: bool, word: str) -> None:
    if not holds:
        raise PatternProblem(f"{word[:60]!r} is more than a choice of values")


def _comparison(tokens: list[str], at: int, found: list[Term]) -> int:
    """Take ``path operator value(s)``; where the next word is."""
    path, operator, value = (tokens[at : at + 3] + ["its end"] * 3)[:3]
    kind = PATHS.get(path.lower().replace("'", ""))
    if kind is None:
        raise PatternProblem(f"{path[:60]!r} is nothing that is looked up alone")
    if operator not in _OPERATORS or (operator == "ISSUBSET" and kind != "address"):
        raise PatternProblem(f"{operator[:60]!r} is no equality")
    if operator != "IN":
        found.append(Term(kind, _literal(value)))
        return at + 3
    at += 3
    while at < len(tokens):
        found.append(Term(kind, _literal(tokens[at])))
        if tokens[at + 1 : at + 2] != [","]:
            break
        at += 2
    if value != "(" or tokens[at + 1 : at + 2] != [")"]:
        raise PatternProblem("IN without a list of texts")
    return at + 2


def _literal(word: str) -> str:
    if not word.startswith("\0"):
        raise PatternProblem(f"{word[:60]!r} is no text")
    return re.sub(r"\\(.)", r"\1", word[1:])


def _tokens(pattern: str) -> list[str]:
    """The words of a pattern; a text in quotes begins with NUL, so that it is no word."""
    found, at, text = [], 0, pattern.strip()
    while at < len(text):
        word = _TOKEN.match(text, at)
        if word is None:
            raise PatternProblem(f"{text[at : at + 20]!r} is no STIX pattern")
        literal, name, mark, number = word.groups()
        found.append(f"\0{literal}" if literal is not None else name or mark or number)
        at = word.end()
    return found


def _check_brackets(tokens: list[str]) -> None:
    """Raise PatternProblem unless brackets pair and every comparison stands in square ones."""
    stack: list[str] = []
    for word in tokens:
        if word in ("[", "("):
            if word == "[" and "[" in stack:
                raise PatternProblem("square brackets within square brackets")
            stack.append(word)
        elif word in ("]", ")"):
            if not stack or stack.pop() != ("[" if word == "]" else "("):
                raise PatternProblem("its brackets do not pair")
        elif word.startswith("\0") and "[" not in stack:
            raise PatternProblem("a comparison outside square brackets")
    if stack:
        raise PatternProblem("its brackets do not pair")
