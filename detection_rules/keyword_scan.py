"""Which records can hold a keyword, told by their bytes: the raw of a whole group is searched before any value.

Comes in: the literals of a plan's keyword rules, and records in which every value is written, as JSON or (``plain``) as
it is in UTF-8. Goes out: the records in which a value may hold one. The one thing to know: it may name a record for
nothing, never miss one. A literal is looked for in every way JSON writes its characters; a record that escapes
characters which need none, or has one of the few that fold to ASCII letters, is named; and literals for which this is
not certain are not searched at all.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from ahocorasick_rs import BytesAhoCorasick

from detection_rules.regex_databases import has_hyperscan

#: Characters that case-fold to text with an ASCII letter in it (a test compares with all of Unicode).
FOLDING = "ßİŉſǰẖẗẘẙẚẞ\u212aﬀﬁﬂﬃﬄﬅﬆ"
#: Characters that writers of JSON must or like to escape: each is looked for in all its forms.
ESCAPED = {
    '"': (rb"\"", rb"\u0022"),
    "\\": (rb"\\", rb"\u005c"),
    "/": (rb"/", rb"\/", rb"\u002f"),
    "'": (rb"'", rb"\u0027"),
    "<": (rb"<", rb"\u003c"),
    ">": (rb">", rb"\u003e"),
    "&": (rb"&", rb"\u0026"),
    "+": (rb"+", rb"\u002b"),
    "=": (rb"=", rb"\u003d"),
    "`": (rb"`", rb"\u0060"),
}
_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - ESCAPED.keys()
_NUMERIC = frozenset("0123456789+-.e")  # what the text of a number is made of, which JSON may write in other ways

Ends = Callable[[bytes], list[int]]


class KeywordScan:
    """A search for literals (case-folded) in JSON; ``possible`` says whether it can be relied upon for them."""

    def __init__(self, literals: Iterable[str], *, hyperscan: bool = True) -> None:
        wanted = sorted(set(literals))
        self.possible = bool(wanted) and all(map(_is_certain, wanted))
        self._json: Ends | None = None
        self._plain: Ends | None = None
        self._wanted = wanted
        self._hyperscan = hyperscan and has_hyperscan()

    def named(self, records: Sequence[bytes], *, plain: bool = False) -> list[int]:
        """The indexes of the records in which a value may hold one of the literals, in order."""
        hits = (self._in_plain() if plain else self._in_json())(b"\n".join(records))
        if not hits:
            return []
        ends = list(accumulate((len(record) + 1 for record in records), initial=-1))[1:]
        return sorted({bisect_right(ends, hit - 1) for hit in hits})

    def _in_json(self) -> Ends:
        if self._json is None:
            patterns = [b"".join(map(_any_form, literal)) for literal in self._wanted]
            odd = list(map(re.escape, _odd_escapes()))
            self._json = _hyperscan(patterns + odd) if self._hyperscan else _automaton(_parts(self._wanted))
        return self._json

    def _in_plain(self) -> Ends:
        if self._plain is None:
            literals = [one.encode() for one in (*self._wanted, *FOLDING)]
            self._plain = _hyperscan(list(map(re.escape, literals))) if self._hyperscan else _automaton(literals)
        return self._plain


def _is_certain(literal: str) -> bool:
    """Whether the literal is ASCII that JSON writes in known ways, and can be in no number."""
    known = literal.isascii() and literal.isprintable() and not _NUMERIC.issuperset(literal)
    return known and not _PLAIN.isdisjoint(literal)


def _odd_escapes() -> list[bytes]:
    """How a record may write what is not looked for as written: needless escapes, and what folds to ASCII."""
    needless = [rb"\u%04x" % ord(character) for character in sorted(_PLAIN)]
    return needless + [rb"\u%04x" % ord(one) for one in FOLDING] + [one.encode() for one in FOLDING]


def _hyperscan(patterns: Sequence[bytes]) -> Ends:
    import hyperscan  # noqa: PLC0415  (optional, and only processes that match need it)

    database = hyperscan.Database()
    database.compile(
        expressions=patterns,
        ids=list(range(len(patterns))),
        flags=[hyperscan.HS_FLAG_CASELESS] * len(patterns),
    )

    def ends(data: bytes) -> list[int]:
        found: list[int] = []
        database.scan(data, match_event_handler=_collect_end, context=found)
        return found

    return ends


def _collect_end(number: int, start: int, end: int, flags: int, found: Any) -> None:
    found.append(end)


def _any_form(character: str) -> bytes:
    forms = ESCAPED.get(character)
    return re.escape(character.encode()) if forms is None else b"(?:%s)" % b"|".join(map(re.escape, forms))


def _parts(literals: Sequence[str]) -> list[bytes]:
    """What is searched without Hyperscan: of each literal only the longest part that JSON writes in one way."""
    parts = {max(re.split(f"[{re.escape(''.join(ESCAPED))}]", literal), key=len) for literal in literals}
    return [part.encode() for part in sorted(parts)] + _odd_escapes()


def _automaton(literals: Sequence[bytes]) -> Ends:
    automaton = BytesAhoCorasick(literals)
    return lambda data: [end for _, _, end in automaton.find_matches_as_indexes(data.lower())]
