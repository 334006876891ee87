"""A detect worker: batches in over one pipe, answers out over another; it opens only our code, leaves by os._exit.

Frames, little-endian. In: ``<IqBI`` blob length, offset, care, number of addresses; then the addresses (``<II`` chunk,
record) and the journal's blob. Out: ``<BIIqq`` kind, two numbers, offset, received. The two numbers of an outcome are
the lengths of its head and its rows, which follow as the outcome log keeps them; of a naming, the chunk and the record
about to be tried; of a keeping, those of one that raised and is left raw; of an unreadable blob, the length of the
reason that follows, and 0; of counters, once a second, the length of their JSON, and 0.
"""

import gc
import os
import struct
import time
import traceback
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, NoReturn

import msgspec

from detection_rules.engine import EngineCounters
from detection_rules.indicators import NO_INDICATORS, Indicators
from detection_rules.snapshot import Snapshot
from soc_center.address import Address
from soc_center.careful import Kept, process_alone, process_raw
from soc_center.limits import compute_at_most, end_after
from soc_center.pipeline import process
from soc_model.chunk import Batch
from soc_model.outcome import Outcome
from soc_model.problem import Problem
from soc_model.reference import Reference, decode_zones
from soc_store.journal import decode_batch
from soc_store.outcome_log import encode_outcome

REQUEST = struct.Struct("<IqBI")
ADDRESS = struct.Struct("<II")
REPLY = struct.Struct("<BIIqq")
FAILED = 70
COUNTERS_S = 1.0
BATCH_S = 10.0  # the parent's limit from one answer to the next; the kernel's is twice that
FIRST_S = 30.0  # until the first: a fresh worker loads formats and plans (0.06 s, more while the machine starts)


class Care(IntEnum):
    """How carefully a batch is decided: all at once, each record alone and named first, or not parsed at all."""

    AS_USUAL = 0
    ALONE = 1
    RAW = 2
    REFERENCE = 3  # no batch: the zones by which all that follow are decided


class Kind(IntEnum):
    """What a reply says."""

    OUTCOME = 0
    NAMING = 1
    UNREADABLE = 2
    COUNTERS = 3
    KEPT = 4


class Request(NamedTuple):
    """One batch to be decided; ``raw`` are the records that are to be kept as they are."""

    offset: int
    care: Care
    raw: frozenset[Address]
    blob: bytes


def work(
    requests: int,
    replies: int,
    snapshot: Snapshot,
    reference: Reference,
    indicators: Indicators = NO_INDICATORS,
) -> NoReturn:
    """Answer every request until the pipe ends.

    The kernel ends a worker that computes for too long: a parent that is held up cannot. Waiting is not limited.
    """
    gc.disable()
    limit_s = FIRST_S
    next_counters = 0.0
    try:
        while (request := _next(requests)) is not None:
            if request.care is Care.REFERENCE:
                reference = Reference(decode_zones(request.blob))
                continue
            _limit(limit_s)
            for frame in answers(request, snapshot, reference, indicators):
                end_after(0)
                _write(replies, frame)
                limit_s = BATCH_S
                _limit(limit_s)
            end_after(0)
            if time.monotonic() >= next_counters:
                next_counters = time.monotonic() + COUNTERS_S
                _write(replies, _counters(snapshot, indicators))
    except BrokenPipeError:
        pass
    except BaseException:
        traceback.print_exc()
        os._exit(FAILED)
    os._exit(0)


def _limit(seconds: float) -> None:
    """From here to the next answer: so much time, and so much processor time of all threads together."""
    end_after(2 * seconds)
    compute_at_most(int(2 * seconds))


def answers(
    request: Request, snapshot: Snapshot, reference: Reference, indicators: Indicators = NO_INDICATORS
) -> Iterator[bytes]:
    """The reply frames of one batch; the last is its outcome, or why its blob cannot be read."""
    try:
        batch = _batch(request)
    except Problem as problem:
        reason = str(problem).encode("utf-8", "backslashreplace")
        yield REPLY.pack(Kind.UNREADABLE, len(reason), 0, request.offset, 0) + reason
        return
    for step in _decided(batch, request, snapshot, reference, indicators):
        if isinstance(step, Kept):
            yield REPLY.pack(Kind.KEPT, *step, request.offset, 0)
        elif isinstance(step, Address):
            yield REPLY.pack(Kind.NAMING, *step, request.offset, 0)
        else:
            encoded = encode_outcome(step)
            sizes = len(encoded.head), len(encoded.rows)
            head = REPLY.pack(Kind.OUTCOME, *sizes, encoded.offset, encoded.received)
            yield b"".join((head, encoded.head, encoded.rows))


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells of itself once a second: its caches, and the seconds by rule that were the rule's own."""

    caches: dict[str, dict[str, int]]
    costs: dict[str, float]


def caches(counters: EngineCounters) -> dict[str, dict[str, int]]:
    """By cache: what was found in it, what was not, and what it lost for want of room."""
    # Values and combinations share their room, so what they lose is told once.
    return {
        "values": _cache(counters.value_lookups, counters.value_misses, counters.evicted),
        "combinations": _cache(counters.tuple_lookups, counters.tuple_misses, 0),
        "event_types": _cache(counters.plan_lookups, counters.plan_misses, counters.plans_evicted),
        "regex_steps": _cache(counters.regex_lookups, counters.regex_misses, 0),
    }


def _cache(lookups: int, misses: int, evicted: int) -> dict[str, int]:
    return {"hits": lookups - misses, "misses": misses, "evicted": evicted}


def _counters(snapshot: Snapshot, indicators: Indicators) -> bytes:
    engine = snapshot.engine
    told = caches(engine.counters())
    if indicators.id:
        told["indicators"] = indicators.counters()
    body = msgspec.json.encode(Counters(caches=told, costs=engine.rule_costs()))
    return REPLY.pack(Kind.COUNTERS, len(body), 0, 0, 0) + body


def _batch(request: Request) -> Batch:
    batch = decode_batch(request.blob)
    if batch.offset != request.offset:
        raise Problem("journal", f"row {request.offset} holds batch {batch.offset}")
    return batch


def _decided(
    batch: Batch, request: Request, snapshot: Snapshot, reference: Reference, indicators: Indicators
) -> Iterator[Address | Kept | Outcome]:
    if request.care is Care.AS_USUAL:
        yield process(batch, snapshot, reference, indicators)
    elif request.care is Care.ALONE:
        yield from process_alone(batch, snapshot, request.raw, reference, indicators)
    else:
        yield process_raw(batch, snapshot, reference, indicators)


def _next(requests: int) -> Request | None:
    """The next request; None when the pipe has ended."""
    head = _read(requests, REQUEST.size)
    if head is None:
        return None
    length, offset, care, count = REQUEST.unpack(head)
    body = _read(requests, count * ADDRESS.size + length)
    if body is None:
        return None
    addresses = body[: count * ADDRESS.size]
    raw = frozenset(Address(*pair) for pair in ADDRESS.iter_unpack(addresses))
    return Request(offset, Care(care), raw, body[len(addresses) :])


def _read(fd: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
