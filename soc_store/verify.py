"""Whether a realm's archive is as it was sealed: its manifest's chain, its files, their rows, and signed checkpoints.

Comes in: the archive folder, a realm, its checkpoints and the key they must be signed with. Goes out: every fault with
its file and sequence, and how far the checkpoints prove the rest. The archiver may write meanwhile. Holds one slice of
the manifest and the rows of one segment at a time.
"""

import time
from bisect import bisect
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import file_digest
from pathlib import Path
from sqlite3 import DatabaseError
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from soc_model.event import DAY_US
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store import merkle
from soc_store.checkpoint import Checkpoint, Line, file_of, read_checkpoints
from soc_store.compaction import Slice
from soc_store.day import day_of
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import FILE, ManifestReader, entry_of
from soc_store.manifest_entry import LAWFUL_DAYS, Compaction, Entry, Retention, Segment, digest_of
from soc_store.manifest_entry import file_of as segment_file_of
from soc_store.segment_file import segment_files, sequence_of
from soc_store.segment_rows import row_faults
from soc_store.signing_key import VerifyingKey
from soc_store.verify_compaction import compaction_faults, slices_within

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SLICE = 500
PATIENCE_S = 5.0  # for so long a file may be there before the entry that names it


class Fault(NamedTuple):
    """Something that is not as it was sealed: in which file, at which entry (0: none), and what."""

    file: str
    sequence: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}{f' (sequence {self.sequence})' if self.sequence else ''}: {self.what}"


class Verdict(msgspec.Struct, kw_only=True):
    """What was looked at and found; ``proved_time`` (µs) and ``proved_sequence`` are of the last checkpoint that held.

    ``replaced`` segments have their rows in ``compactions``. Entries after ``proved_sequence`` are consistent but not
    proved yet. Worth nothing while ``faults`` is not 0.
    """

    realm: Realm
    entries: int = 0
    segments: int = 0
    removed: int = 0
    replaced: int = 0
    compactions: int = 0
    events: int = 0
    findings: int = 0
    sightings: int = 0
    proved_sequence: int = 0
    proved_time: int = 0
    faults: int = 0

    def counts(self) -> dict[str, int]:
        """The counts as a checkpoint has them."""
        return {name: getattr(self, name) for name in ("segments", "events", "findings", "sightings", "removed")}

    def agrees(self, counted: dict[str, int]) -> bool:
        """Whether it is what a checkpoint counted; one from before there were sightings names none."""
        return self.counts().items() >= counted.items() and bool(counted)


class _Removed(NamedTuple):
    first: int
    last: int
    entry: int
    before: str


def verify_realm(
    archive: Path,
    realm: Realm,
    checkpoints: Path,
    key: VerifyingKey | None,
    tell: Callable[[Fault], None],
    *,
    patience_s: float = PATIENCE_S,
) -> Verdict:
    """Look at everything of a realm and ``tell`` each fault; without a ``key`` no checkpoint proves anything."""
    return _Walk(archive, realm, checkpoints, key, tell).run(patience_s)


class _Walk:
    """The state of one walk along a manifest."""

    def __init__(
        self, archive: Path, realm: Realm, checkpoints: Path, key: VerifyingKey | None, tell: Callable[[Fault], None]
    ) -> None:
        self._archive, self._folder, self._tell = archive, archive / realm, tell
        self._checkpoints = file_of(checkpoints, realm)
        # The size first: what is in it then speaks of entries that the manifest has when it is read afterwards.
        self._lines = self._read_lines(realm, key)
        self._line = next(self._lines, None)
        self._verdict = Verdict(realm=realm)
        self._removed: list[_Removed] = []
        self._known_retention = self._slice_retention = 0  # the last entry of that kind known, and as of the slice
        self._previous = ""

    def _read_lines(self, realm: Realm, key: VerifyingKey | None) -> Iterator[Line]:
        if key is None or not self._checkpoints.is_file():
            return iter(())
        return read_checkpoints(self._checkpoints, self._checkpoints.stat().st_size, realm, key)

    def _fault(self, file: str, sequence: int, what: str) -> None:
        self._verdict.faults += 1
        self._tell(Fault(file, sequence, what))

    def run(self, patience_s: float) -> Verdict:
        try:
            if (self._folder / FILE).exists():
                self._walk()
                self._look_for_unnamed(patience_s)
            elif any(segment_files(self._folder)):
                self._fault(FILE, 0, "is gone, but there are segments")
        except (DatabaseError, Problem) as error:
            self._fault(FILE, 0, f"cannot be read: {error}")
        self._cut_off()
        return self._verdict

    def _view(self) -> ManifestReader:
        return ManifestReader(self._folder)

    def _walk(self) -> None:
        with closing(self._view()) as view:
            last, damage = view.last_sequence(), view.damage()
        for what in damage:
            self._fault(FILE, 0, what)
        with open_duckdb(self._archive) as connection:
            for table, row in self._rows(last):
                self._look_at(connection, table, row)

    def _rows(self, last: int) -> Iterator[tuple[str, tuple[object, ...]]]:
        """The rows of the manifest up to ``last``, each slice in a view of its own: a long one would stop SQLite from
        ever beginning its log anew."""
        after = -1 << 63
        while True:
            with closing(self._view()) as view:
                entries, self._slice_retention = view.entries(after, SLICE), view.last_retention()
                if self._slice_retention != self._known_retention:
                    self._learn_removed(view)
            for table, row in entries:
                if row[0] > last:
                    return
                yield table, row
            if not entries:
                return
            after = entries[-1][1][0]

    def _learn_removed(self, view: ManifestReader) -> None:
        """What retention entries name: days and ranges, so little of it."""
        self._known_retention = view.last_retention()
        self._removed = sorted(
            _Removed(first, last, entry.sequence, entry.before)
            for entry in view.retentions()
            for first, last in entry.segments
        )

    def _removal(self, sequence: int) -> _Removed | None:
        """The retention entry that names a segment."""
        at = bisect(self._removed, sequence, key=lambda one: one.first) - 1
        return self._removed[at] if at >= 0 and sequence <= self._removed[at].last else None

    def _look_at(self, connection: "DuckDBPyConnection", table: str, row: tuple[object, ...]) -> None:
        sequence = int(str(row[0]))
        try:
            entry = entry_of(table, row)
        except (msgspec.MsgspecError, TypeError) as error:
            self._fault(FILE, sequence, f"the entry was changed: {error}")
            self._verdict.entries, self._previous = sequence, str(row[-1])
            return
        self._look_at_link(entry)
        if isinstance(entry, Retention):
            self._look_at_retention(entry)
        else:
            self._look_at_segment(connection, table, entry)
        self._compare(entry)

    def _look_at_link(self, entry: Entry) -> None:
        expected = self._verdict.entries + 1
        if entry.sequence > expected:
            self._fault(FILE, entry.sequence, f"entries {expected} to {entry.sequence - 1} are missing before it")
        elif entry.sequence < expected:
            self._fault(FILE, entry.sequence, "the entry is there twice, or has no place in the chain")
        if digest_of(entry) != entry.digest:
            self._fault(FILE, entry.sequence, "the entry was changed: its digest is not that of its fields")
        if entry.previous != self._previous:
            self._fault(FILE, entry.sequence, "the entry does not follow the one before it")
        if entry.alg != merkle.ALG:
            self._fault(FILE, entry.sequence, f"uses {entry.alg!r}, which this program does not know")
        self._verdict.entries, self._previous = entry.sequence, entry.digest

    def _look_at_retention(self, entry: Retention) -> None:
        self._verdict.removed += sum(last - first + 1 for first, last in entry.segments)
        if any(not 0 < first <= last < entry.sequence for first, last in entry.segments):
            self._fault(FILE, entry.sequence, "the retention names entries that are not before it")
        if not 0 < entry.days < 1_000_000 or entry.before > day_of(entry.at - entry.days * DAY_US):
            self._fault(FILE, entry.sequence, f"the retention removed days that were not {entry.days} days old")
        if entry.days < LAWFUL_DAYS and not entry.decision:
            self._fault(FILE, entry.sequence, f"the retention kept {entry.days} days without a recorded decision")

    def _look_at_segment(self, connection: "DuckDBPyConnection", table: str, segment: Segment) -> None:
        self._count(table, segment)
        named = segment_file_of(segment.kind, segment.day, segment.layer, segment.sequence)
        if segment.file != named:
            self._fault(FILE, segment.sequence, f"names the file {segment.file!r} where it must be {named}")
            return
        if isinstance(segment, Compaction):
            for what in self._compaction_faults(segment):
                self._fault(FILE, segment.sequence, what)
        if removal := self._removal(segment.sequence):
            if segment.day >= removal.before:
                self._fault(segment.file, segment.sequence, f"was removed by entry {removal.entry} before its time")
            if table != "removed" and removal.entry <= self._slice_retention:
                self._fault(FILE, segment.sequence, f"was removed by entry {removal.entry}, but searches see it")
        elif table == "removed":
            self._fault(segment.file, segment.sequence, "was removed, and no retention entry names it")
        elif table != "replaced":  # the compaction that replaced it is looked at in its own place
            self._look_at_file(connection, segment)

    def _count(self, table: str, segment: Segment) -> None:
        """A compaction seals nothing: its rows were counted where they were sealed."""
        self._verdict.replaced += table == "replaced"
        if isinstance(segment, Compaction):
            self._verdict.compactions += 1
            return
        self._verdict.segments += 1
        setattr(self._verdict, segment.kind, getattr(self._verdict, segment.kind) + segment.rows)

    def _compaction_faults(self, entry: Compaction) -> list[str]:
        with closing(self._view()) as view:
            return compaction_faults(view, entry)

    def _slices(self, segment: Segment) -> list[Slice]:
        """Where in its file the rows of what it replaced are."""
        if not isinstance(segment, Compaction):
            return []
        with closing(self._view()) as view:
            return slices_within(view, segment)

    def _look_at_file(self, connection: "DuckDBPyConnection", segment: Segment) -> None:
        what = self._file_fault(connection, segment)
        # Retired or replaced while this went on: then the manifest says so by now.
        if what and not (self._folder / segment.file).exists():
            with closing(self._view()) as view:
                self._learn_removed(view)
                replaced = view.is_replaced(segment.sequence)
            if replaced or self._removal(segment.sequence):
                return
        if what:
            self._fault(segment.file, segment.sequence, what)

    def _file_fault(self, connection: "DuckDBPyConnection", segment: Segment) -> str:
        """What is wrong with a segment's file, empty when nothing is. Rows are read only of the very file sealed."""
        path = self._folder / segment.file
        if not path.exists():
            return "the segment is gone, and no retention or compaction names it"
        try:
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            if digest != segment.file_digest or path.stat().st_size != segment.bytes:
                return "the segment is not as it was sealed: its bytes have another digest"
            return row_faults(connection, path, self._verdict.realm, segment, self._slices(segment))
        except OSError as error:
            return f"cannot be read: {error.strerror}"

    def _compare(self, entry: Entry) -> None:
        """Hold the checkpoints that speak of an entry against it."""
        while self._line is not None:
            found = self._line.checkpoint
            if found is not None and found.sequence > entry.sequence:
                return
            self._hold(self._line, found, entry)
            self._line = next(self._lines, None)

    def _hold(self, line: Line, found: Checkpoint | None, entry: Entry) -> None:
        place = f"{self._checkpoints.name}:{line.number}"
        if found is None:
            self._fault(place, 0, f"the checkpoint {line.wrong}")
        elif found.sequence < entry.sequence:
            self._fault(
                place, found.sequence, "the checkpoint speaks of an entry that is not there, or stands too late"
            )
        elif found.head != entry.digest:
            since = self._verdict.proved_sequence
            self._fault(
                FILE, found.sequence, f"is not what the checkpoint {place} signed: rewritten after entry {since}"
            )
        elif not self._verdict.agrees(found.counts):
            self._fault(place, found.sequence, f"counted {found.counts}, but there are {self._verdict.counts()}")
        else:
            self._verdict.proved_sequence, self._verdict.proved_time = found.sequence, found.time

    def _cut_off(self) -> None:
        """Checkpoints that speak of more than there is."""
        last = self._verdict.entries
        while self._line is not None:
            place, found = f"{self._checkpoints.name}:{self._line.number}", self._line.checkpoint
            if found is None:
                self._fault(place, 0, f"the checkpoint {self._line.wrong}")
            else:
                what = f"ends at entry {last}, but the checkpoint {place} signed this one: cut off"
                self._fault(FILE, found.sequence, what)
            self._line = next(self._lines, None)

    def _look_for_unnamed(self, patience_s: float) -> None:
        """Files that no entry names. One of the archiver is there a moment before its entry."""
        unnamed = self._unnamed(segment_files(self._folder))
        until = time.monotonic() + patience_s
        while unnamed and time.monotonic() < until:
            time.sleep(min(0.2, patience_s))
            unnamed = self._unnamed(iter(unnamed))
        for path in unnamed:
            what = "no entry names it: added, or left by a crash (then the archiver removes it when it starts)"
            self._fault(str(path.relative_to(self._folder)), sequence_of(path), what)

    def _unnamed(self, paths: Iterator[Path]) -> list[Path]:
        names = ((path, str(path.relative_to(self._folder))) for path in paths if path.exists())
        with closing(self._view()) as view:
            return [path for path, name in names if not view.names(sequence_of(path), name)]
