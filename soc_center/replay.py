"""Quarantined records on their way in again: by the inbox folder to collect, the only writer of the journal.

The record keeps the time it was received; its event is a new one with an id of its own, flagged ``replay_of:`` the id
of the quarantined row (or of the batch, where no row was archived). That row stays in the archive, flagged as it was:
so rows and counts agree, and the two are never taken for two records.
The last chunk's position says that an entry was replayed. It commits with the records, so whatever crashes between,
an entry comes in once.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from collectors.intake import IntakeFull
from soc_center.address import Address
from soc_center.quarantine import Entry, Kind, Quarantine, Settled
from soc_model.chunk import Batch, Chunk
from soc_model.event import REPLAY_OF, event_id
from soc_model.problem import Problem
from soc_store.batch import decode_batch
from soc_store.durable import publish, sync_folder

STREAM = "replay:"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the inbox: what is to be replayed, and on whose word."""

    format: str = "fengsui-replay"
    version: int = 1
    offset: int
    settled: Settled
    chunks: list[Chunk]


class WayIn(Protocol):
    """What is needed of collect."""

    async def append(self, chunks: list[Chunk]) -> bool: ...
    def replayed(self, source_id: str, stream: str) -> bool: ...


def ask_replay(inbox: Path, quarantine: Quarantine, offset: int, settled: Settled) -> int:
    """Lay an open entry into the inbox; how many records. ``Problem`` when nothing can be read of it."""
    entry = quarantine.open_entry(offset)
    chunks = list(replay_chunks(entry, decode_batch(quarantine.blob(offset))))
    request = Request(offset=offset, settled=settled, chunks=chunks)
    inbox.mkdir(mode=0o700, exist_ok=True)
    made = inbox / f"{offset}.new"
    made.write_bytes(msgspec.msgpack.encode(request))
    publish(made, inbox / f"{offset}.replay")
    return len(chunks)


def replay_chunks(entry: Entry, batch: Batch) -> Iterator[Chunk]:
    """Each record of an entry as a chunk of its own; the last one carries the position."""
    every = [Address(c, r) for c, chunk in enumerate(batch.chunks) for r in range(len(chunk.records))]
    wanted = [Address(*pair) for pair in entry.records] or every
    for address in wanted:
        chunk = batch.chunks[address.chunk]
        oversize = chunk.oversize.get(address.record)
        yield msgspec.structs.replace(
            chunk,
            stream=f"{STREAM}{entry.offset}",
            records=[chunk.records[address.record]],
            context={**chunk.context, REPLAY_OF: _replaced(entry, batch, address)},
            position={"replayed": entry.offset} if address == wanted[-1] else None,
            oversize={} if oversize is None else {0: oversize},
        )


def _replaced(entry: Entry, batch: Batch, address: Address) -> str:
    """The id that the quarantined row of a record has; the batch where there is no row."""
    if entry.kind is Kind.BATCH:
        return f"batch:{entry.offset}"
    chunk = batch.chunks[address.chunk]
    at = sum(map(len, chunk.records[: address.record]))
    return event_id(f"{chunk.source_id}\0{batch.offset}\0{address.chunk}\0{at}", chunk.records[address.record])


async def take_replays(inbox: Path, quarantine: Quarantine, way_in: WayIn, say: Callable[[str], None]) -> None:
    """Bring in what lies in the inbox; a request that cannot be is put aside with its reason, and the others go on."""
    for path in sorted(inbox.glob("*.replay")):
        try:
            request = _read(path)
            if not way_in.replayed(request.chunks[-1].source_id, request.chunks[-1].stream):
                await way_in.append(request.chunks)
            quarantine.settle(request.offset, request.settled)
        except IntakeFull:
            return
        except Problem as problem:
            say(f"collect: {path.name} is not replayed: {problem}")
            path.replace(path.with_suffix(".refused"))
            _note(quarantine, path, str(problem))
            continue
        path.unlink()
        sync_folder(inbox)
        say(f"collect: {len(request.chunks)} quarantined records of batch {request.offset} replayed")


def _read(path: Path) -> Request:
    try:
        request = msgspec.msgpack.decode(path.read_bytes(), type=Request)
    except (OSError, msgspec.MsgspecError) as error:
        raise Problem(str(path), f"cannot be read: {error}") from error
    if (request.format, request.version) != ("fengsui-replay", 1) or not request.chunks:
        raise Problem(str(path), "is not a replay of a known version")
    return request


def _note(quarantine: Quarantine, path: Path, problem: str) -> None:
    if path.stem.isdigit() and any(entry.offset == int(path.stem) for entry in quarantine.entries()):
        quarantine.note(int(path.stem), problem)


def own_positions(positions: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A source's positions without those of replays, of which no transport knows."""
    return {stream: position for stream, position in positions.items() if not stream.startswith(STREAM)}
