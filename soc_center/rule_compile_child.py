"""The process that compiles rules: what comes from outside takes no more than it is allowed, and stops nothing else.

Exec'ed as ``python -m soc_center.rule_compile_child NOTES`` with an order on standard input; a reply goes out on
standard output, the compiled rules and the catalogue of every document into files. NOTES is a descriptor in which it
notes what it is at, so that its parent knows which rule it died of.
"""

import gc
import os
import resource
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, overload

import msgspec

from detection_rules.compiled import Compiled, encode_compiled
from detection_rules.condition import predicates_of
from detection_rules.plain import plain_of
from detection_rules.predicate import Regex
from detection_rules.regex_check import needs_backtracking
from detection_rules.regex_databases import Databases, Serialized, compile_database, digest_of, has_hyperscan, takes
from detection_rules.rule import RuleDocument, RuleSet
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.limits import compute_at_most, die_with_parent, limit_growth, lower
from soc_center.rule_compile_order import OUT_OF_MEMORY, Order, Probe, Reply, Stage, write_note
from soc_center.rule_entries import entries
from soc_center.rules_reading import ReadRules, read_rules
from soc_model.problem import Problem
from soc_model.rule_entry import CatalogueHead
from soc_store.rule_catalogue import make_catalogue

SELDOM = 200_000  # new objects between two looks for garbage: nearly all that is made here stays
_SERIALIZED = plain_of(Serialized)


class TooMuch(Exception):
    """The processor time is used up: no more databases are begun."""


class Met(Exception):
    """The database that is to be tried expression by expression."""

    def __init__(self, regexes: list[Regex]) -> None:
        self.regexes = regexes


class Documents(Sequence[RuleDocument]):
    """Documents that note which one is looked at, each time that one is."""

    def __init__(self, documents: dict[int, RuleDocument], notes: int) -> None:
        self._documents, self._notes = documents, notes
        self._list = list(documents.values())

    def __len__(self) -> int:
        return len(self._list)

    @overload
    def __getitem__(self, index: int) -> RuleDocument: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RuleDocument]: ...
    def __getitem__(self, index: int | slice) -> RuleDocument | Sequence[RuleDocument]:
        return self._list[index]

    def __iter__(self) -> Iterator[RuleDocument]:
        for number, document in self._documents.items():
            write_note(self._notes, Stage.DOCUMENT, number)
            yield document
        write_note(self._notes, Stage.BUILDING)


class DatabaseFolder:
    """Makes databases for good: each is a file, so that a process after this one need not make it again."""

    def __init__(self, order: Order, notes: int) -> None:
        self._folder, self._all_s, self._notes = Path(order.folder), order.caps.all_s, notes
        self._wanted = order.probe.database if order.probe is not None else -1
        self._met = 0
        self.compiled: set[Regex] = set()

    def compile(self, regexes: Sequence[Regex]) -> Serialized:
        """The database of the expressions."""
        number, self._met = self._met, self._met + 1
        if number == self._wanted:
            raise Met(list(regexes))
        path = self._folder / digest_of(regexes)
        if not path.exists():
            if time.process_time() > self._all_s:
                raise TooMuch
            write_note(self._notes, Stage.DATABASE, number, len(regexes))
            _write(path, msgspec.msgpack.encode(_SERIALIZED.dump(compile_database(regexes))))
            write_note(self._notes, Stage.BUILDING)
        self.compiled.update(regexes)
        found: Serialized = _SERIALIZED.load(msgspec.msgpack.decode(path.read_bytes()))
        return found


def perform(order: Order, notes: int) -> Reply:
    """Compile, or find the expressions that cannot be."""
    read = read_rules(order.choice).refusing(order.refuse)
    ruleset = read.load(Documents(read.wanted(), notes))
    dear = _too_dear(order, read, ruleset)
    if dear:
        read = read.refusing(dear)
        ruleset = read.load(Documents(read.wanted(), notes))
    made = DatabaseFolder(order, notes)
    databases = Databases(compile=made.compile, keep=True)
    try:
        snapshot = compile_snapshot(ruleset, hyperscan=databases)
        snapshot.warm()
    except Met as met:
        assert order.probe is not None
        return Reply(refuse=_probed(met.regexes, order.probe, ruleset, read, notes))
    except TooMuch:
        what = f"compiling all rules takes more than {order.caps.all_s:g} s; this is one of those left then"
        left = _regexes(ruleset) - made.compiled
        return Reply(refuse=dict.fromkeys(_users(left, ruleset, read), what))
    catalogue = _catalogue(order, read, snapshot)
    compiled = Compiled(
        key=order.key,
        ruleset=ruleset,
        databases=databases.known,
        empty=read.empty,
        read=read.read,
        catalogue=catalogue,
    )
    _write(Path(order.out), encode_compiled(compiled))
    return Reply(done=True)


def _too_dear(order: Order, read: ReadRules, ruleset: RuleSet) -> dict[int, str]:
    """Rules put aside that are known by more than their text: by the lists and filters that they were loaded with."""
    aside = order.choice.aside
    found = {(one.path, one.line): aside.get(one.card.content_sha256) for one in ruleset.rules} if aside else {}
    return {number: dear.reason for number, place in _places(read) if (dear := found.get(place)) is not None}


def _catalogue(order: Order, read: ReadRules, snapshot: Snapshot) -> str:
    """Make the catalogue of every document; its SHA-256. When it was made, and of what, is said where it is shown."""
    path = Path(order.catalogue)
    head = CatalogueHead(snapshot=snapshot.id, made=0)
    make_catalogue(path, head, entries(read, snapshot.rules, snapshot.refused, order.choice.sources))
    return sha256(path.read_bytes()).hexdigest()


def _probed(regexes: list[Regex], probe: Probe, ruleset: RuleSet, read: ReadRules, notes: int) -> dict[int, str]:
    """The documents whose expressions cannot be compiled by themselves; where all can, those of all of them."""
    for number in range(probe.start, len(regexes)):
        if number not in probe.bad:
            write_note(notes, Stage.EXPRESSION, number)
            takes(regexes[number])
    if not probe.bad:
        what = f"its regular expressions cannot be compiled together with {len(regexes)} others"
        return dict.fromkeys(_users(set(regexes), ruleset, read), what)
    return {
        number: f"regular expression {regexes[at].pattern[:200]!r} {why}"
        for at, why in probe.bad.items()
        for number in _to_blame(regexes[at], ruleset, read)
    }


def _to_blame(regex: Regex, ruleset: RuleSet, read: ReadRules) -> list[int]:
    """The documents that the expression comes from: the filters that hold it, else the rules that ask for it."""
    filters = [
        number
        for number, document in read.wanted().items()
        if "filter" in document.data and _holds(document.data, regex.pattern)
    ]
    return filters or _users({regex}, ruleset, read)


def _holds(data: Any, text: str) -> bool:
    """Whether a document's data holds the text as a value."""
    if isinstance(data, dict):
        return any(_holds(value, text) for value in data.values())
    return any(_holds(value, text) for value in data) if isinstance(data, list) else data == text


def _regexes(ruleset: RuleSet) -> set[Regex]:
    """The expressions that are to be in databases."""
    tests = {asked.test for asked in ruleset.predicates}
    return {test for test in tests if isinstance(test, Regex) and not needs_backtracking(test.pattern, test.flags)}


def _users(regexes: Collection[Regex], ruleset: RuleSet, read: ReadRules) -> list[int]:
    """The numbers of the documents whose rules ask for any of the expressions."""
    asked = {number for predicate, number in ruleset.predicates.items() if predicate.test in regexes}
    places = {
        (rule.path, rule.line)
        for rule in ruleset.rules
        if any(not predicates_of(variant.condition).isdisjoint(asked) for variant in rule.variants)
    }
    return [number for number, place in _places(read) if place in places]


def _places(read: ReadRules) -> Iterator[tuple[int, tuple[str, int]]]:
    for number, one in enumerate(read.placed):
        yield number, (one.document.path, one.document.line)


def _write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, for the owner only."""
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    made.replace(path)


def main() -> None:
    """Do the one order."""
    die_with_parent()
    os.umask(0o077)
    notes = int(sys.argv[1])
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    if has_hyperscan():
        takes(Regex("loaded"))  # the library itself is no part of what rules cost
    gc.set_threshold(SELDOM)
    limit_growth(order.caps.memory_bytes)
    lower(resource.RLIMIT_CORE, 0)
    compute_at_most(int(order.caps.all_s + order.caps.database_s))
    try:
        reply = perform(order, notes)
    except Problem as problem:
        reply = Reply(problem=(problem.place, problem.what))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main()
