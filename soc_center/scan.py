"""``fengsui scan``: rules over files, offline, with no center running.

Comes in: files of any known format. Goes out: one line for one rule on one event, before any dedup, and a summary.
The one thing to know: it is the center's own pipeline on chunks cut from files, so what it finds the center finds.
"""

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast

import msgspec

from collectors.cutting import Cutter, Records
from collectors.format import Format, guess_format, load_format
from detection_rules.detect import detect
from detection_rules.snapshot import Snapshot
from soc_center.pipeline import locate
from soc_model.chunk import Batch, Chunk
from soc_model.event import Located
from soc_model.finding import Finding, RuleCard
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.source import Source

HEAD_BYTES = 64 * 1024
BLOCK_BYTES = 256 * 1024
FIELDS = ("rule_id", "title", "level", "time", "event_id", "source", "record", "matched")
AUTO = "auto"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one event. ``record`` is the source's own record number, or the line."""

    rule_id: str
    title: str
    level: str
    time: str
    event_id: str
    source: str
    record: int
    matched: dict[str, str]
    tags: tuple[str, ...] = ()
    rule_path: str = ""


class Sink(Protocol):
    """Where hits go."""

    def __call__(self, hit: Hit) -> None: ...


@dataclass(slots=True)
class Summary:
    """What a scan came to; every file that was named is in exactly one of ``scanned`` and ``failed``."""

    scanned: int = 0
    events: int = 0
    raw_bytes: int = 0
    unparsed: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    hits: int = 0
    by_level: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    titles: dict[str, RuleCard] = field(default_factory=dict)
    first_unparsed: dict[str, str] = field(default_factory=dict)

    def add(self, finding: Finding, card: RuleCard) -> None:
        """Count one hit."""
        self.hits += 1
        self.by_level[finding.level.value] += 1
        self.by_rule[finding.rule_id] += 1
        self.titles[finding.rule_id] = card

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 something found, 3 something could not be read (whatever was found)."""
        return 3 if self.failed else int(self.hits > 0)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Every file named, folders walked in a stable order; raises Problem for a path that is not there."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(item for item in path.rglob("*") if item.is_file())
        elif path.exists():
            found.append(path)
        else:
            raise Problem(str(path), "is not there")
    return found


def scan(
    files: Sequence[Path], snapshot: Snapshot, format_name: str, sink: Sink, progress: Callable[[int], None]
) -> Summary:
    """Run the rules over the files; ``progress`` is told the bytes read as they are."""
    summary = Summary()
    for path in files:
        try:
            with _open(path) as file:
                head = file.read(HEAD_BYTES)
                if head:
                    form = _format(path, head, format_name)
                    one = FileScan(path=path, form=form, snapshot=snapshot, sink=sink, summary=summary)
                    one.run(_blocks(head, file, progress))
            summary.scanned += 1
        except (OSError, EOFError, Problem) as error:
            what = error.what if isinstance(error, Problem) else getattr(error, "strerror", None) or str(error)
            summary.failed[str(path)] = what
    return summary


def located_in(path: Path, snapshot: Snapshot) -> Iterator[Located]:
    """The event groups of one file, of any known format; raises ``Problem`` naming the file when it cannot be read."""
    summary = Summary()
    try:
        with _open(path) as file:
            head = file.read(HEAD_BYTES)
            if head:
                form = _format(path, head, AUTO)
                one = FileScan(path=path, form=form, snapshot=snapshot, sink=lambda hit: None, summary=summary)
                yield from one.located(_blocks(head, file, lambda read: None))
    except (OSError, EOFError) as error:
        raise Problem(str(path), getattr(error, "strerror", None) or str(error)) from error


def _format(path: Path, head: bytes, name: str) -> Format:
    return load_format(guess_format(head, str(path)) if name == AUTO else name)


def _blocks(head: bytes, file: IO[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    block = head
    while block:
        progress(len(block))
        yield block
        block = file.read(BLOCK_BYTES)


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if packed:
            with gzip.open(plain) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            yield plain


@dataclass(slots=True, kw_only=True)
class FileScan:
    """One file on its way through the pipeline."""

    path: Path
    form: Format
    snapshot: Snapshot
    sink: Sink
    summary: Summary
    lines: int = 0
    pieces: int = 0

    def run(self, blocks: Iterator[bytes]) -> None:
        """Cut the blocks into whole records and run the rules over each piece as it is whole."""
        for piece in self._cut(blocks):
            self._piece(piece)

    def located(self, blocks: Iterator[bytes]) -> Iterator[Located]:
        """The event groups of the blocks, as the rules would be given them."""
        for piece in self._cut(blocks):
            yield from locate(self._batch(piece), self.snapshot.wanted, any_time=True)
            self.pieces += 1

    def _cut(self, blocks: Iterator[bytes]) -> Iterator[Records]:
        cutter = Cutter(self.form, {})
        for block in blocks:
            self.summary.raw_bytes += len(block)
            yield from cutter.feed(block)
        yield from cutter.feed(b"", final=True)

    def _piece(self, piece: Records) -> None:
        batch = self._batch(piece)
        located = list(locate(batch, self.snapshot.wanted, any_time=True))
        outcome = detect(located, self.snapshot, batch.offset, batch.received, keep=sys.maxsize)
        records = self._numbers(located)
        self._count(located)
        for finding in outcome.findings:
            card = outcome.cards[finding.rule_id]
            self.summary.add(finding, card)
            self.sink(_hit(finding, card, self.path, records.get(finding.event_id, 0)))
        self.pieces += 1
        self.lines += len(piece.records)

    def _batch(self, piece: Records) -> Batch:
        source = Source(
            id=str(self.path),
            name=self.path.name,
            transport="file",
            format=self.form.name,
            layer=Layer.HOST,
            unit="scan",
            realm=Realm.LIVE,
        )
        chunk = Chunk(
            source_id=source.id,
            stream=source.id,
            received=int(self.path.stat().st_mtime * 1_000_000),
            format=self.form.name,
            records=piece.records,
            context=piece.context,
            oversize=piece.oversize,
        )
        return Batch(offset=self.pieces, received=chunk.received, sources={source.id: source}, chunks=[chunk])

    def _numbers(self, located: Sequence[Located]) -> dict[str, int]:
        """The record number of each event: the source's own, or its line in the file."""
        return {
            event: self._number(number)
            for one in located
            for event, number in zip(one.event_ids, one.group.records, strict=True)
        }

    def _number(self, number: int) -> int:
        return number if self.form.own_numbers else self.lines + number + 1

    def _count(self, located: Sequence[Located]) -> None:
        place = str(self.path)
        for one in located:
            self.summary.events += len(one.group)
            if one.group.unparsed:
                first = min(one.group.unparsed)
                what = one.group.unparsed[first].removeprefix(f"{place}: batch {one.offset}, ")
                why = f"record {self._number(one.group.records[first])}, {what}"
                self.summary.unparsed[place] += len(one.group.unparsed)
                self.summary.first_unparsed.setdefault(place, why)


def _hit(finding: Finding, card: RuleCard, path: Path, record: int) -> Hit:
    return Hit(
        rule_id=finding.rule_id,
        title=card.title,
        level=finding.level.value,
        time=iso(finding.at),
        event_id=finding.event_id,
        source=str(path),
        record=record,
        matched=finding.matched,
        tags=card.tags,
        rule_path=card.path,
    )


def iso(time_us: int) -> str:
    """A time in microseconds as ISO 8601 UTC."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@contextmanager
def open_sink(out: Path | None) -> Iterator[Sink]:
    """Where hits are written: ``.ndjson``, ``.csv``, or nowhere; the file appears only when the scan is done."""
    if out is None:
        yield lambda hit: None
        return
    if out.suffix not in (".ndjson", ".jsonl", ".csv"):
        raise Problem(str(out), "must end in .ndjson or .csv")
    temporary = out.with_name(out.name + ".part")
    try:
        with temporary.open("wb") as file:
            yield _csv(file) if out.suffix == ".csv" else _ndjson(file)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _ndjson(file: IO[bytes]) -> Sink:
    def write(hit: Hit) -> None:
        file.write(msgspec.json.encode(hit) + b"\n")

    return write


def _csv(file: IO[bytes]) -> Sink:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(FIELDS)

    def write(hit: Hit) -> None:
        values = (getattr(hit, name) for name in FIELDS)
        writer.writerow([safe_cell(_flat(value)) for value in values])

    return write


def _flat(value: Any) -> str:
    return "; ".join(f"{name}={item}" for name, item in value.items()) if isinstance(value, dict) else str(value)


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (CWE-1236)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
