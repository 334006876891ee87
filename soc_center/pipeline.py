"""The one way from a journaled batch to its outcome: decode, locate, detect. Read this first.

A batch comes in as the journal keeps it; each chunk is parsed alone by its format, each event gets its id, its time and
its flags, and ``detect`` turns the groups into findings, counts and archive rows. Pure: no clock, no files, no state.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from collectors.format import Format, load_format
from detection_rules.correlator import Correlator
from detection_rules.detect import detect
from detection_rules.indicators import NO_INDICATORS, Indicators
from detection_rules.snapshot import Snapshot
from soc_center.assigning import assigned
from soc_model.chunk import Batch, Chunk
from soc_model.event import (
    FUTURE_US,
    PAST_US,
    QUARANTINED,
    REPLAY_OF,
    TIME_FLAGGED,
    TRUNCATED,
    UNPARSED,
    EventGroup,
    Located,
    Wanted,
    event_id,
)
from soc_model.layer import Layer, Realm
from soc_model.outcome import Outcome
from soc_model.reference import NO_REFERENCE, Reference
from soc_model.source import Logsource, Source

MIN_US, MAX_US = -(1 << 63), (1 << 63) - 1  # every time that an archive can hold
NOT_DECIDED = "none@1"  # the decoder of records that no format was asked about


def process(
    batch: Batch, snapshot: Snapshot, reference: Reference = NO_REFERENCE, indicators: Indicators = NO_INDICATORS
) -> Outcome:
    """What one batch comes to."""
    return decide(list(locate(batch, indicators.wanted(snapshot.wanted))), batch, snapshot, reference, indicators)


def decide(
    groups: Sequence[Located],
    batch: Batch,
    snapshot: Snapshot,
    reference: Reference,
    indicators: Indicators = NO_INDICATORS,
) -> Outcome:
    """The outcome of a batch's located groups; the reference gives each event the unit that it belongs to."""
    for located in groups:
        if replaced := batch.chunks[located.chunk].context.get(REPLAY_OF):
            located.flags = [f"{flags} {REPLAY_OF}:{replaced}".strip() for flags in located.flags]
    if not reference.id:
        return detect(groups, snapshot, batch.offset, batch.received, indicators=indicators)
    own = list(assigned(groups, reference))
    outcome = detect(own, snapshot, batch.offset, batch.received, indicators=indicators)
    return msgspec.structs.replace(outcome, reference=reference.id)


def locate(batch: Batch, wanted: Wanted, *, any_time: bool = False) -> Iterator[Located]:
    """The batch's event groups in journal order, each with its source and place.

    ``any_time`` believes every event time, for files scanned long after they were written.
    """
    for index, chunk in enumerate(batch.chunks):
        source = batch.sources[chunk.source_id]
        for group in parse(chunk, source, wanted):
            yield locate_group(group, batch, index, any_time=any_time)


def parse(chunk: Chunk, source: Source, wanted: Wanted) -> list[EventGroup]:
    """The events of one chunk, as its format understands them."""
    context: dict[str, Any] = {**chunk.context, "received": chunk.received}
    if source.logsource is not None:
        context["logsource"] = msgspec.to_builtins(source.logsource)
    return cached_format(chunk.format).parse(chunk.records, context, wanted)


@lru_cache(maxsize=64)
def cached_format(name: str) -> Format:
    """The format of that name, loaded once a process."""
    return load_format(name)


def locate_group(group: EventGroup, batch: Batch, index: int, *, any_time: bool = False) -> Located:
    """A group of the batch's chunk ``index`` with its ids, believed times and flags."""
    chunk, offset = batch.chunks[index], batch.offset
    source = batch.sources[chunk.source_id]
    quarantined = group.decoder == NOT_DECIDED
    where = f"{(chunk.position or {}).get('path', chunk.stream)}: batch {offset}, byte"
    group.unparsed = {i: f"{where} {group.bytes_at[i]}: {why}" for i, why in group.unparsed.items()}
    sizes = _sizes(group, chunk)
    earliest, latest = (MIN_US, MAX_US) if any_time else (chunk.received - PAST_US, chunk.received + FUTURE_US)
    believed = [time is not None and earliest <= time <= latest for time in group.times]
    flags = ["" if one else TIME_FLAGGED for one in believed]
    if group.unparsed or sizes or quarantined:
        flags = [
            _words(unparsed=i in group.unparsed, truncated=i in sizes, flagged=bool(flag), quarantined=quarantined)
            for i, flag in enumerate(flags)
        ]
    at = [time if one and time is not None else chunk.received for time, one in zip(group.times, believed, strict=True)]
    return Located(
        group=group,
        source=source,
        received=chunk.received,
        offset=offset,
        chunk=index,
        event_ids=_event_ids(group, f"{source.id}\0{offset}\0{index}\0"),
        at=at,
        flags=flags,
        sizes=sizes,
    )


def _words(*, unparsed: bool, truncated: bool, flagged: bool, quarantined: bool) -> str:
    """An event's flags in their order."""
    words = ((UNPARSED, unparsed), (TRUNCATED, truncated), (TIME_FLAGGED, flagged), (QUARANTINED, quarantined))
    return " ".join(word for word, holds in words if holds)


def _sizes(group: EventGroup, chunk: Chunk) -> dict[int, tuple[int, str]]:
    if not chunk.oversize:
        return {}
    found = {i: chunk.oversize.get(record) for i, record in enumerate(group.records)}
    return {i: (over.length_bytes, over.digest.hex) for i, over in found.items() if over is not None}


def _event_ids(group: EventGroup, place: str) -> list[str]:
    if group.identities is None:
        return [event_id(f"{place}{at}", raw) for at, raw in zip(group.bytes_at, group.raws, strict=True)]
    return [
        event_id(own if own is not None else f"{place}{at}", raw)
        for own, at, raw in zip(group.identities, group.bytes_at, group.raws, strict=True)
    ]


def run_sample(sample: Mapping[str, Any], snapshot: Snapshot) -> set[str]:
    """The ids of the rules that raise an alert on one sample of a rule file, correlations among them.

    A sample is ``{format, record, logsource?}``, or with ``records`` in place of ``record`` several in order, which go
    through their format like any others, at the times they name themselves; a record that is a mapping is one line of
    JSON. A text is cut as a file would be, so that it may be several lines of one event, or begin with the lines of a
    header. What a correlation still waits for never comes.
    """
    records = sample["records"] if "records" in sample else [sample["record"]]
    raws = [record.encode() if isinstance(record, str) else msgspec.json.encode(record) for record in records]
    logsource = msgspec.convert(sample["logsource"], Logsource) if "logsource" in sample else None
    source = Source(
        id="sample",
        name="sample",
        transport="file",
        format=sample["format"],
        layer=Layer.HOST,
        unit="sample",
        realm=Realm.TEST,
        logsource=logsource,
    )
    cuts = [cached_format(source.format).cut(raw, {}, True) for raw in raws]
    cut = [record for one, raw in zip(cuts, raws, strict=True) for record in one.records or [raw]]
    batch = records_batch(cut, source, received=SAMPLE_RECEIVED, context=cuts[0].context)
    groups = list(locate(batch, snapshot.wanted, any_time="records" in sample))
    outcome = decide(groups, batch, snapshot, NO_REFERENCE)
    return {finding.rule_id for finding in outcome.findings} | correlated([outcome])


def correlated(outcomes: Sequence[Outcome]) -> set[str]:
    """The ids of the correlations that raise an alert on these outcomes, if nothing comes after them."""
    correlator = Correlator()
    found = correlator.apply(correlator.gather(outcomes, after=-1)).deltas
    found += correlator.apply(correlator.passing(0, finish=True)).deltas
    return {delta.rule.id for delta in found}


SAMPLE_RECEIVED = 1_790_000_000_000_000  # 2026-09-21, so that a sample means the same on every day


def run_records(
    records: Sequence[bytes],
    source: Source,
    snapshot: Snapshot,
    *,
    received: int,
    context: Mapping[str, Any] | None = None,
) -> Outcome:
    """The outcome of whole records of one source as if they had just been journaled at offset 0."""
    return process(records_batch(records, source, received=received, context=context), snapshot)


def records_batch(
    records: Sequence[bytes], source: Source, *, received: int, context: Mapping[str, Any] | None = None
) -> Batch:
    """Whole records of one source as if they had just been journaled at offset 0."""
    chunk = Chunk(
        source_id=source.id,
        stream="records",
        received=received,
        format=source.format,
        records=list(records),
        context=dict(source.options if context is None else context),
    )
    return Batch(offset=0, received=received, sources={source.id: source}, chunks=[chunk])
