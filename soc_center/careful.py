"""The careful way from a batch that stopped its workers to its outcome: each record alone, named before it is tried.

Whoever drives it knows from the last name which record was in hand when the process ended, and leaves that one raw the
next time. A record that only raises is left raw at once. Everything else is decided as ``process`` would.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import msgspec

from detection_rules.detect import detect
from detection_rules.indicators import NO_INDICATORS, Indicators
from detection_rules.snapshot import Snapshot
from soc_center.address import NOBODY, Address
from soc_center.pipeline import NOT_DECIDED, cached_format, decide, locate_group, parse
from soc_center.quarantine_alarm import alarmed
from soc_model.chunk import Batch, Chunk
from soc_model.event import EventGroup, EventType, Located, Wanted
from soc_model.outcome import Outcome
from soc_model.reference import NO_REFERENCE, Reference
from soc_model.source import Logsource, Source

STOPPED_ITS_WORKER = "it stopped the worker that decided it; kept raw, unparsed"


class Kept(NamedTuple):
    """A record that could not be decided and did not stop its worker either: it only raised."""

    chunk: int
    record: int


def process_alone(
    batch: Batch,
    snapshot: Snapshot,
    raw: Collection[Address],
    reference: Reference = NO_REFERENCE,
    indicators: Indicators = NO_INDICATORS,
) -> Iterator[Address | Kept | Outcome]:
    """The address of each record just before it is parsed and matched, then ``NOBODY``, then the outcome.

    The records in ``raw`` are kept as they are, flagged quarantined.
    """
    located: list[Located] = []
    kept: list[Located] = []
    for index, chunk in enumerate(batch.chunks):
        start = 0
        for number, record in enumerate(chunk.records):
            address = Address(index, number)
            found: list[Located] | None = None
            if address not in raw:
                yield address
                found = _tried(batch, address, start, snapshot, indicators)
                if found is None:
                    yield Kept(*address)
            if found is None:
                found = [_kept(batch, address, start)]
                kept += found
            located += found
            start += len(record)
    yield NOBODY
    yield alarmed(decide(located, batch, snapshot, reference, indicators), kept)


def process_raw(
    batch: Batch, snapshot: Snapshot, reference: Reference = NO_REFERENCE, indicators: Indicators = NO_INDICATORS
) -> Outcome:
    """The outcome of a batch all of whose records are kept as they are: none is parsed."""
    kept = []
    for index, chunk in enumerate(batch.chunks):
        group = _quarantined(chunk.records, chunk, batch.sources[chunk.source_id])
        kept.append(locate_group(group, batch, index))
    return alarmed(decide(kept, batch, snapshot, reference, indicators), kept)


def _tried(
    batch: Batch, address: Address, start: int, snapshot: Snapshot, indicators: Indicators
) -> list[Located] | None:
    """The events of one record, once they have been matched to see that it can be done; None where it cannot."""
    try:
        groups = _alone(batch, address, start, indicators.wanted(snapshot.wanted))
        found = [locate_group(group, batch, address.chunk) for group in groups]
        detect(found, snapshot, batch.offset, batch.received, indicators=indicators)
    except Exception:  # whatever a record makes a format or a rule raise, the others go on
        return None
    return found


def _alone(batch: Batch, address: Address, start: int, wanted: Wanted) -> list[EventGroup]:
    """The events of one record, at the place they have in the whole chunk."""
    chunk = batch.chunks[address.chunk]
    one = msgspec.structs.replace(chunk, records=[chunk.records[address.record]])
    groups = parse(one, batch.sources[chunk.source_id], wanted)
    for group in groups:
        _move(group, start, 0 if cached_format(chunk.format).own_numbers else address.record)
    return groups


def _kept(batch: Batch, address: Address, start: int) -> Located:
    chunk = batch.chunks[address.chunk]
    group = _quarantined([chunk.records[address.record]], chunk, batch.sources[chunk.source_id])
    _move(group, start, address.record)
    return locate_group(group, batch, address.chunk)


def _move(group: EventGroup, start: int, record: int) -> None:
    group.bytes_at = [at + start for at in group.bytes_at]
    group.records = [number + record for number in group.records]


def _quarantined(records: Sequence[bytes], chunk: Chunk, source: Source) -> EventGroup:
    starts, at = [], 0
    for record in records:
        starts.append(at)
        at += len(record)
    return EventGroup(
        type=EventType(f"{chunk.format}.quarantined", source.logsource or Logsource()),
        decoder=NOT_DECIDED,
        fields=[{} for _ in records],
        raws=list(records),
        times=[None] * len(records),
        bytes_at=starts,
        records=list(range(len(records))),
        unparsed=dict.fromkeys(range(len(records)), STOPPED_ITS_WORKER),
    )
