"""A rule that is not active yet over what the archive holds: sealed events read back by their formats and decided anew.

Comes in: the rule as text, a span, whose eyes it is seen with. Goes out: hits per day, samples, cost. The one thing to
know: only events whose logsource the rule can see are read, nothing found becomes a finding, and the result holds no
content of events, because whoever may see jobs need not be somebody who may see events.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collectors.format import format_of_decoder
from detection_rules.backtest import Backtest, Report, RuleHits
from detection_rules.library import Library, read_documents
from detection_rules.rule import Rule, RuleDocument
from detection_rules.rule_yaml import parse_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.folder import DataFolder
from soc_center.rule_paths import rule_paths
from soc_center.rules_reading import correlated_by, names_of
from soc_center.scan import located_in
from soc_center.settings import Settings
from soc_model.event import Located, Wanted
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_model.source import Logsource, Source
from soc_store.stored_events import Gone, StoredBlock, StoredEvents

RULE_BYTES = 12 * 1024  # so that it fits into a job's parameters
TRIES = 3  # when segments are merged or retired under it


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest's result. Of ``events`` in the archive, ``unreadable`` could not be read back by any format.

    ``cpu_us_per_event``: for deciding alone. ``seconds``: all of it, by the clock on the wall.
    """

    since: int
    until: int
    events: int
    unparsed: int
    unreadable: int
    cpu_us_per_event: float
    seconds: float
    evicted: int = 0
    rules: list[RuleHits]


def rule_of(text: str, place: str = "rule") -> Snapshot:
    """The rules of a text, compiled; raises ``Problem`` at ``place:line`` for anything in it that is refused."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > RULE_BYTES:
        raise Problem(place, f"larger than {RULE_BYTES} bytes")
    found = list(parse_documents(place, data))
    library = Library(
        documents=[one for one in found if isinstance(one, RuleDocument)],
        refused=[one for one in found if not isinstance(one, RuleDocument)],
    )
    return _compiled(library, place)


def _compiled(library: Library, place: str) -> Snapshot:
    ruleset = load_rules(library.documents, refused=library.refused)
    if ruleset.refused:
        refusal = ruleset.refused[0]
        raise Problem(f"{refusal.path}:{refusal.line}", refusal.reason)
    if not ruleset.rules:
        raise Problem(place, "no rule in it")
    return compile_snapshot(ruleset)


def rule_by_id(folder: DataFolder, settings: Settings, rule_id: str) -> Snapshot:
    """The center's rule of that id with all that it builds on, compiled; ``Problem`` when there is none that loads."""
    library = read_documents([at.path for at in rule_paths(folder, settings.detection)])
    known = {name: document for document in library.documents for name in names_of(document) if name}
    if rule_id not in known:
        raise Problem(f"rule {rule_id}", "is not among the rules of this center")
    wanted, waiting = dict[int, RuleDocument](), [rule_id]
    while waiting:
        document = known.get(waiting.pop())
        if document is not None and id(document) not in wanted:
            wanted[id(document)] = document
            waiting += correlated_by(document)
    return _compiled(Library(documents=list(wanted.values()), refused=[]), known[rule_id].path)


def backtest(
    archive: Path,
    settings: Settings,
    snapshot: Snapshot,
    scope: Scope,
    span: tuple[int, int],
    *,
    progress: Callable[[int, int], None],
) -> Tested:
    """The rules over the sealed events with a time in [since, until); ``progress`` is told rows behind and rows in all.

    Begins again when the archive changes under it; ``Problem`` when that does not end.
    """
    for _ in range(TRIES):
        try:
            return _once(archive, settings, snapshot, scope, span, progress=progress)
        except Gone:
            continue
    raise Problem(str(archive), "its segments change while they are read; try again when compaction rests")


def _once(
    archive: Path,
    settings: Settings,
    snapshot: Snapshot,
    scope: Scope,
    span: tuple[int, int],
    *,
    progress: Callable[[int, int], None],
) -> Tested:
    began = time.monotonic()
    stored = StoredEvents(archive, scope, *span, seen_by(snapshot.rules))
    test, reading = Backtest(snapshot, time.process_time, values=False), Reading(settings)
    for behind, block in stored.blocks():
        progress(behind, stored.rows)
        for located in reading.located(block, snapshot.wanted):
            test.add(located)
    progress(stored.rows, stored.rows)
    report = test.report()
    return _tested(report, span, reading.unreadable, time.monotonic() - began)


def scan_backtest(files: Sequence[Path], snapshot: Snapshot) -> Tested:
    """The rules over files of any known format; raises ``Problem`` for one that cannot be read."""
    began, times = time.monotonic(), Times()
    test = Backtest(snapshot, time.process_time)
    for path in files:
        for located in located_in(path, snapshot):
            test.add(located)
            times.see(located.at)
    return _tested(test.report(), times.span, 0, time.monotonic() - began)


class Times:
    """The earliest and latest of the event times seen."""

    def __init__(self) -> None:
        self._seen: list[int] = []

    def see(self, times: Sequence[int]) -> None:
        """Take more."""
        if times:
            self._seen = [min((*self._seen, *times)), max((*self._seen, *times))]

    @property
    def span(self) -> tuple[int, int]:
        """[first, last]; (0, 0) when there were none."""
        return (self._seen[0], self._seen[-1]) if self._seen else (0, 0)


def _tested(report: Report, span: tuple[int, int], unreadable: int, seconds: float) -> Tested:
    return Tested(
        since=span[0],
        until=span[1],
        events=report.events,
        unparsed=report.unparsed,
        unreadable=unreadable,
        cpu_us_per_event=round(1e6 * report.cpu_s / max(1, report.events), 3),
        seconds=round(seconds, 3),
        evicted=report.evicted,
        rules=report.rules,
    )


def seen_by(rules: Sequence[Rule]) -> list[Logsource]:
    """The logsources of the events that any variant of the rules can see."""
    return list(dict.fromkeys(variant.logsource for rule in rules for variant in rule.variants))


class Reading:
    """Archived raw to event groups, with the options that the sources have now."""

    def __init__(self, settings: Settings) -> None:
        self._sources = {source.id: source for source in settings.sources}
        self.unreadable = 0

    def located(self, block: StoredBlock, wanted: Wanted) -> Iterator[Located]:
        """The groups of a block, with the ids, times, unit and realm that they were archived with."""
        form, kind = format_of_decoder(block.kind.decoder), block.kind
        if form is None:
            self.unreadable += len(block.raws)
            return
        source = Source(
            id=kind.source_id,
            name=kind.source_id,
            transport="archive",
            format=form.name,
            layer=Layer(kind.layer),
            unit=kind.unit,
            realm=Realm(kind.realm),
        )
        for group in form.parse(block.raws, self._context(block), wanted):
            yield Located(
                group=group,
                source=source,
                received=max(block.times),
                offset=0,
                chunk=0,
                event_ids=[block.event_ids[row] for row in group.records],
                at=[block.times[row] for row in group.records],
                flags=[""] * len(group),
            )

    def _context(self, block: StoredBlock) -> dict[str, Any]:
        """As a chunk would have it; the year of times that have none is that of the archived ones."""
        source = self._sources.get(block.kind.source_id)
        context: dict[str, Any] = {"received": max(block.times)}
        if source is not None:
            context = {**source.options, **context}
            if source.logsource is not None:
                context["logsource"] = msgspec.to_builtins(source.logsource)
        return context
