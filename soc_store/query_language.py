"""The query language of the archive: text to one tree, and the tree as an SQL predicate and as a Python predicate.

``word`` and ``"some words"`` are substrings of raw, ``field:value`` is the whole value of a column; ``*`` and ``?`` are
wildcards outside quotes, case never counts, AND, OR, NOT and parentheses join, and words side by side are ANDed. A
backslash takes the meaning from a special character after it and is itself before any other, so that ``C:\\Windows``
in quotes needs none. Syntax by luqum (Lucene's); what it knows and this language does not is refused with its column.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from luqum import tree as lucene
from luqum.exceptions import ParseError
from luqum.parser import parser

from soc_model.event import COLUMNS
from soc_model.problem import Problem
from soc_store.packing import text as storable_text

TEXT_CHARS = 4_000
DEPTH = 32
TERMS = 64
FIELDS = tuple(name for name, kind in COLUMNS.items() if kind != "BLOB")

_SPECIAL = frozenset('\\*?":()[]{}^~+-!/&|<>= ')
_POSITION = re.compile(r"at position (\d+)")
_MEANT = {"&&": "AND", "||": "OR", "!": "NOT"}

Predicate = Callable[[Mapping[str, Any]], bool]


class Pattern(NamedTuple):
    """What a value must look like: texts between which anything may stand (``*``); in a text ``None`` is any one
    character (``?``)."""

    parts: tuple[tuple[str | None, ...], ...]

    @property
    def plain(self) -> str | None:
        """The text itself where there is no wildcard, else ``None``."""
        (first, *others) = self.parts
        return None if others or None in first else "".join(char or "" for char in first)


class Word(NamedTuple):
    """A substring of raw."""

    pattern: Pattern


class Term(NamedTuple):
    """The whole value of a column."""

    field: str
    pattern: Pattern


class Not(NamedTuple):
    """Rows that ``node`` does not match; a null value is matched by no term."""

    node: "Node"


class And(NamedTuple):
    """Rows that all of ``nodes`` match; with none, every row."""

    nodes: "tuple[Node, ...]"


class Or(NamedTuple):
    """Rows that any of ``nodes`` matches."""

    nodes: "tuple[Node, ...]"


Node = Word | Term | Not | And | Or


def parse(text: str) -> Node:
    """The tree of ``text``, every row for an empty one; ``Problem`` with place ``query:COLUMN`` for what is wrong."""
    if len(text) > TEXT_CHARS:
        raise _problem(TEXT_CHARS, f"longer than {TEXT_CHARS} characters")
    if not text.strip():
        return And(())
    try:
        found = parser.parse(storable_text(text))
    except ParseError as error:
        raise _refused(text, error) from error
    return _Reading().node(found, None, 0)


class _Reading:
    """Turns luqum's tree into ours, counting terms."""

    def __init__(self) -> None:
        self._terms = 0

    def node(self, item: Any, field: str | None, depth: int) -> Node:
        """The node of ``item``, whose words belong to ``field``."""
        if depth > DEPTH:
            raise _problem(item.pos, f"nested deeper than {DEPTH}")
        match item:
            case lucene.Group() | lucene.FieldGroup() | lucene.Plus():
                return self.node(item.children[0], field, depth + 1)
            case lucene.Not() | lucene.Prohibit():
                return Not(self.node(item.children[0], field, depth + 1))
            case lucene.AndOperation() | lucene.UnknownOperation():
                return And(tuple(self.node(child, field, depth + 1) for child in item.children))
            case lucene.OrOperation():
                return Or(tuple(self.node(child, field, depth + 1) for child in item.children))
            case lucene.SearchField():
                return self._field(item, field, depth)
            case lucene.Word() | lucene.Phrase():
                return self._leaf(item, field)
        raise _problem(item.pos, f"{type(item).__name__.lower()} is not part of this language; use quotes for a text")

    def _field(self, item: Any, outer: str | None, depth: int) -> Node:
        if outer is not None:
            raise _problem(item.pos, "a value with a colon stands in quotes")
        if item.name == "*":
            return And(())
        if item.name not in FIELDS:
            near = get_close_matches(item.name, FIELDS, 1, 0.4)
            meant = f", did you mean {near[0]!r}" if near else ""
            raise _problem(item.pos, f"unknown field {item.name!r}{meant}")
        return self.node(item.children[0], item.name, depth + 1)

    def _leaf(self, item: Any, field: str | None) -> Node:
        self._terms += 1
        if self._terms > TERMS:
            raise _problem(item.pos, f"more than {TERMS} terms")
        if item.value in _MEANT:
            raise _problem(item.pos, f"write {_MEANT[item.value]}, or {item.value} in quotes")
        quoted = isinstance(item, lucene.Phrase)
        pattern = read_pattern(item.value[1:-1] if quoted else item.value, wild=not quoted)
        return Word(pattern) if field is None else Term(field, pattern)


def read_pattern(text: str, wild: bool) -> Pattern:
    """The pattern in ``text``, with or without wildcards."""
    parts: list[list[str | None]] = [[]]
    chars = iter(range(len(text)))
    for n in chars:
        char = text[n]
        if char == "\\" and n + 1 < len(text) and text[n + 1] in _SPECIAL:
            parts[-1].append(text[next(chars)])
        elif wild and char == "*":
            parts.append([])
        else:
            parts[-1].append(None if wild and char == "?" else char)
    return Pattern(tuple(map(tuple, parts)))


def to_sql(node: Node) -> tuple[str, list[str]]:
    """The node as a DuckDB predicate that is never null, and its parameters in order. No text of a user is in it."""
    match node:
        case And(nodes):
            return _joined(nodes, " AND ", "true")
        case Or(nodes):
            return _joined(nodes, " OR ", "false")
        case Not(inner):
            sql, values = to_sql(inner)
            return f"NOT ({sql})", values
        case Word(pattern):
            plain = pattern.plain
            # Addresses, numbers and Chinese have no case: 1.4 times faster without lower().
            caseless = plain is not None and plain.upper() == plain == plain.lower()
            found = f"coalesce({'contains(raw, ?)' if caseless else 'contains(lower(raw), lower(?))'}, false)"
            return _like("raw", Pattern(((), *pattern.parts, ()))) if plain is None else (found, [plain])
        case Term(field, pattern):
            column, plain = f'CAST("{field}" AS VARCHAR)', pattern.plain
            equal = f"coalesce(lower({column}) = lower(?), false)"
            return _like(column, pattern) if plain is None else (equal, [plain])


def to_predicate(node: Node) -> Predicate:
    """The node as a function of a row (values by column); it agrees with ``to_sql``."""
    match node:
        case And(nodes):
            every = [to_predicate(one) for one in nodes]
            return lambda row: all(one(row) for one in every)
        case Or(nodes):
            some = [to_predicate(one) for one in nodes]
            return lambda row: any(one(row) for one in some)
        case Not(inner):
            refused = to_predicate(inner)
            return lambda row: not refused(row)
        case Word(pattern):
            plain = pattern.plain
            if plain is not None:
                word = fold(plain)
                return lambda row: row["raw"] is not None and word in fold(row["raw"])
            return _matching("raw", Pattern(((), *pattern.parts, ())))
        case Term(field, pattern):
            return _matching(field, pattern)


def fold(text: str) -> str:
    """``text`` in lower case, character by character, as DuckDB's ``lower`` does it (Python looks at neighbours of
    a sigma, and makes two characters of a dotted capital I)."""
    return text.lower() if text.isascii() else text.replace("İ", "i").replace("Σ", "σ").lower()


def _joined(nodes: tuple[Node, ...], word: str, empty: str) -> tuple[str, list[str]]:
    parts = [to_sql(one) for one in nodes]
    return word.join(f"({sql})" for sql, _ in parts) or empty, [value for _, values in parts for value in values]


def _like(column: str, pattern: Pattern) -> tuple[str, list[str]]:
    text = "%".join("".join(map(_like_char, part)) for part in pattern.parts)
    # DuckDB has a faster way for a LIKE without ESCAPE.
    escape = " ESCAPE '\\'" if "\\" in text else ""
    return f"coalesce(lower({column}) LIKE lower(?){escape}, false)", [text]


def _like_char(char: str | None) -> str:
    if char is None:
        return "_"
    return f"\\{char}" if char in "%_\\" else char


def _matching(field: str, pattern: Pattern) -> Predicate:
    plain = pattern.plain
    if plain is not None:
        wanted = fold(plain)
        return lambda row: row[field] is not None and fold(str(row[field])) == wanted
    match = re.compile(_regex(pattern), re.DOTALL).fullmatch
    return lambda row: row[field] is not None and match(fold(str(row[field]))) is not None


def _regex(pattern: Pattern) -> str:
    """The pattern as a regular expression that never tries a part again (atomic groups), so it takes linear time in
    the number of parts."""
    parts = ("".join("." if char is None else re.escape(fold(char)) for char in part) for part in pattern.parts)
    first, *others = parts
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}"


def _refused(text: str, error: ParseError) -> Problem:
    found = _POSITION.search(str(error))
    position = int(found[1]) if found else len(text.rstrip())
    return _problem(position, str(error).splitlines()[0].replace("Syntax error in input : ", "").rstrip("!"))


def _problem(position: int | None, what: str) -> Problem:
    return Problem(f"query:{(position or 0) + 1}", what)
