"""Hyperscan databases by what they are made of: compiled where they are not known yet, else taken as they are.

Comes in: expressions. Goes out: databases of at most ``CHUNK`` of them, ready to scan. The one thing to know: which
expressions share a database is decided by their content alone, so one rule more or less leaves most databases as they
were, and what a compiling process has made once serves every process after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, TypeAlias

from detection_rules.predicate import Regex

CHUNK = 1000  # expressions in a database: 1.9 ms each to compile, and the memory of compiling stays under 120 MB
OUT_OF_MEMORY = "Unable to allocate memory"


@dataclass(frozen=True, slots=True)
class Serialized:
    """A database as bytes; ``taken`` are the places of the expressions in it, the others Hyperscan refuses."""

    taken: tuple[int, ...]
    data: bytes


Compile: TypeAlias = Callable[[Sequence[Regex]], Serialized]


class Databases:
    """The databases known; ``compile`` makes those that are not, and they are kept only where ``keep`` says so."""

    def __init__(
        self, known: Mapping[str, Serialized] | None = None, *, compile: Compile | None = None, keep: bool = False
    ) -> None:
        self.known: dict[str, Serialized] = dict(known or {})
        self._compile = compile or compile_database
        self._keep = keep

    def database(self, regexes: Sequence[Regex]) -> tuple[Any, tuple[int, ...]]:
        """(A database ready to scan, None for an empty one; the places of the expressions that are in it)."""
        digest = digest_of(regexes)
        found = self.known.get(digest) or self._compile(regexes)
        if self._keep:
            self.known[digest] = found
        return (_loaded(found.data) if found.taken else None), found.taken


#: How expressions are run: in Hyperscan's databases, in databases made on the spot (True), or without it (False).
Hyperscan: TypeAlias = "bool | Databases"


def databases_of(hyperscan: Hyperscan) -> Databases | None:
    """Where databases come from; None to do without Hyperscan, as where it is not installed."""
    if not hyperscan or not has_hyperscan():
        return None
    return hyperscan if isinstance(hyperscan, Databases) else Databases()


def has_hyperscan() -> bool:
    """Whether Hyperscan is installed."""
    return find_spec("hyperscan") is not None


def digest_of(regexes: Sequence[Regex]) -> str:
    """What names the database of these expressions in this order."""
    return sha256("\0".join(f"{one.flags} {one.pattern}" for one in regexes).encode()).hexdigest()


def chunks(regexes: Sequence[Regex]) -> Iterator[list[Regex]]:
    """The expressions, each once, in groups that become one database each."""
    distinct = sorted(set(regexes), key=lambda one: (one.flags, one.pattern))
    parts = 1
    while len(distinct) > CHUNK * parts:
        parts *= 2
    members: dict[int, list[Regex]] = {}
    for one in distinct:
        place = int.from_bytes(sha256(one.pattern.encode()).digest()[:4], "big") if parts > 1 else 0
        members.setdefault(place % parts, []).append(one)
    yield from members.values()


def compile_database(regexes: Sequence[Regex]) -> Serialized:
    """One database of all expressions that Hyperscan takes. Raises MemoryError where it finds no room."""
    import hyperscan  # noqa: PLC0415  (optional, and only processes that match need it)

    places = list(range(len(regexes)))
    try:
        return Serialized(tuple(places), hyperscan.dumpb(compiled(regexes)))
    except hyperscan.error as error:
        _refuse_no_memory(error)
        places = [place for place in places if takes(regexes[place])]
    if not places:
        return Serialized((), b"")
    return Serialized(tuple(places), hyperscan.dumpb(compiled([regexes[place] for place in places], places)))


def takes(regex: Regex) -> bool:
    """Whether Hyperscan takes the expression by itself."""
    import hyperscan  # noqa: PLC0415

    try:
        compiled([regex])
    except hyperscan.error as error:
        _refuse_no_memory(error)
        return False
    return True


def compiled(regexes: Sequence[Regex], ids: Sequence[int] | None = None) -> Any:
    """The database of the expressions, each under its place or the id given for it."""
    import hyperscan  # noqa: PLC0415

    flags = {"i": hyperscan.HS_FLAG_CASELESS, "m": hyperscan.HS_FLAG_MULTILINE, "s": hyperscan.HS_FLAG_DOTALL}
    common = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
    database = hyperscan.Database()
    database.compile(
        expressions=[regex.pattern.encode() for regex in regexes],
        ids=list(range(len(regexes)) if ids is None else ids),
        flags=[common | sum(flags[flag] for flag in regex.flags) for regex in regexes],
    )
    return database


def _loaded(data: bytes) -> Any:
    import hyperscan  # noqa: PLC0415

    database = hyperscan.loadb(data, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)  # loadb leaves it out, and a scan without it fails
    return database


def _refuse_no_memory(error: Exception) -> None:
    if OUT_OF_MEMORY in str(error):
        raise MemoryError(OUT_OF_MEMORY) from error
