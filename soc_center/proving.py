"""Self-proof of the rules: which of them a source feeds now, which fields arrive, which canaries fired.

Comes in: the rules as they run, the archive of the last hours, the center's sources. Goes out: a report. The one thing
to know: fields are judged on a sample of events, at most ``SAMPLE`` of each source and format, so a field that is rare
may be told as missing where it is not; a field that arrives is never told as missing by more than that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from detection_rules.condition import predicates_of
from detection_rules.rule import Rule, Variant
from detection_rules.snapshot import Snapshot
from soc_center.backtesting import Reading
from soc_center.rule_entries import unsourced
from soc_model.event import EventGroup, EventType
from soc_model.rule_proof import Canary, RuleProof
from soc_model.source import Logsource, Source
from soc_store.stored_events import StoredBlock

SAMPLE = 2000


class SeenFields:
    """By logsource: the fields that had a value, and how many events were looked at."""

    def __init__(self) -> None:
        self.fields: dict[Logsource, set[str]] = {}
        self.events: dict[Logsource, int] = {}

    def add(self, group: EventGroup) -> None:
        """Take the fields of a group."""
        fields = self.fields.setdefault(group.type.logsource, set())
        self.events[group.type.logsource] = self.events.get(group.type.logsource, 0) + len(group)
        fields.update(name for name, _ in group.type.constants)
        for event in group.fields:
            fields.update(name for name, value in event.items() if value not in (None, ""))

    def of(self, variant: Variant) -> tuple[int, set[str]]:
        """Events of the logsources that a variant sees, and their fields."""
        seen = [logsource for logsource in self.fields if variant.logsource.covers(logsource)]
        return sum(self.events[one] for one in seen), set().union(*(self.fields[one] for one in seen))


def look(blocks: Iterable[StoredBlock], reading: Reading, progress: Callable[[], None]) -> SeenFields:
    """The fields of a sample of the events."""
    seen, taken = SeenFields(), dict[tuple[str, str], int]()
    for block in blocks:
        progress()
        kind = (block.kind.source_id, block.kind.decoder)
        if taken.get(kind, 0) < SAMPLE:
            taken[kind] = taken.get(kind, 0) + len(block.raws)
            for located in reading.located(block, _everything):
                seen.add(located.group)
    return seen


def _everything(event_type: EventType) -> None:
    return None


def prove(
    snapshot: Snapshot, live: Sequence[Source], seen: SeenFields, canaries: Mapping[str, Canary]
) -> Iterator[RuleProof]:
    """One proof for each rule that runs; ``live`` are the sources that sent lately."""
    dry = unsourced(snapshot.rules, live)
    for rule in snapshot.rules:
        events, missing = _missing(snapshot, rule, seen)
        yield RuleProof(
            rule_id=rule.card.id,
            live=(rule.path, rule.line) not in dry,
            seen=events,
            missing=tuple(sorted(missing)),
            canary=canaries.get(rule.card.id, Canary.NONE),
        )


def _missing(snapshot: Snapshot, rule: Rule, seen: SeenFields) -> tuple[int, set[str]]:
    """Of the variant that lacks least: the events looked at, and the fields that none of them had."""
    found: tuple[int, set[str]] | None = None
    for variant in rule.variants:
        events, fields = seen.of(variant)
        lacking = _asked(snapshot, variant) - fields
        if events and (found is None or len(lacking) < len(found[1])):
            found = (events, lacking)
    return found or (0, set())


def _asked(snapshot: Snapshot, variant: Variant) -> set[str]:
    asked: set[str] = set()
    for number in predicates_of(variant.condition):
        column = snapshot.engine.column_of(number)
        if column is not None:
            asked.update((column,) if isinstance(column, str) else column)
    return asked


def live_sources(sources: Sequence[Source], last_received: Mapping[str, int], since: int) -> list[Source]:
    """The sources that sent anything since then."""
    return [source for source in sources if last_received.get(source.id, 0) >= since]
