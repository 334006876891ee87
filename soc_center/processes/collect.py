"""collect: transports cut whole records, the group commit makes them durable, then the sender is told so.

Comes in: bytes of sources. Goes out: batches in the journal. The one thing to know: nothing is acknowledged before
``append`` has returned, and ``append`` is the only way in.
"""

import asyncio
import contextlib
import importlib
import signal
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from collectors.intake import IntakeFull
from soc_center.canary import journaled_sources, take_canaries
from soc_center.disk import DiskRoom
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, done_through, now_us
from soc_center.life import leash_gone, leashed, say
from soc_center.quarantine import Quarantine
from soc_center.replay import own_positions, take_replays
from soc_center.settings import Settings
from soc_center.start import start
from soc_center.wake import wake
from soc_model.chunk import Chunk
from soc_model.problem import Problem
from soc_model.source import Source
from soc_store.group_commit import DiskFull, Full, GroupCommit
from soc_store.journal import Journal

HOUSEKEEPING_S = 1.0
RETRY_S = 5.0
REFUSED_DISK_FULL = "refused_disk_full"
REFUSED_QUEUE_FULL = "refused_queue_full"


class TransportIntake:
    """What one transport is given: its sources and the way into the journal."""

    def __init__(self, sources: Sequence[Source], journal: Journal, commit: GroupCommit, room: DiskRoom) -> None:
        self.sources = sources
        self._journal = journal
        self._commit = commit
        self._room = room

    async def append(
        self,
        chunks: Sequence[Chunk],
        request: bytes | None = None,
        counters: Mapping[tuple[str, str], int] = {},
    ) -> bool:
        """True once the chunks are durable; False when this request was in the journal already."""
        if not self._room.enough():
            self._refused(chunks, REFUSED_DISK_FULL)
            raise IntakeFull("the disk is nearly full, send again later")
        try:
            return await self._commit.append(chunks, request, counters)
        except Full as error:
            self._refused(chunks, REFUSED_DISK_FULL if isinstance(error, DiskFull) else REFUSED_QUEUE_FULL)
            raise IntakeFull from error

    def _refused(self, chunks: Sequence[Chunk], why: str) -> None:
        """Count the attempt with each source that it was of."""
        for source_id in {chunk.source_id for chunk in chunks}:
            self._commit.count(source_id, why)

    def positions(self, source_id: str) -> dict[str, dict[str, Any]]:
        """The last committed position of each stream of a source."""
        return own_positions(self._journal.positions(source_id))

    def replayed(self, source_id: str, stream: str) -> bool:
        """Whether a replay is in the journal already: its position commits with its records."""
        return stream in self._journal.positions(source_id)

    def count(self, source_id: str, counter: str, n: int = 1) -> None:
        """Add to a public counter; committed with the next batch."""
        self._commit.count(source_id, counter, n)

    def now(self) -> int:
        """The present time in microseconds UTC."""
        return now_us()


async def collect(folder: DataFolder, settings: Settings) -> None:
    """Run all transports until SIGTERM or the end of the supervisor."""
    journal = Journal.open(folder.journal, journaled_sources(settings), now=now_us)
    commit = GroupCommit(journal, on_commit=lambda: wake(folder.run, "detect"))
    room = DiskRoom(folder.journal, settings.archive.min_free_bytes, say)
    stop = _stop_event()
    committing = asyncio.create_task(commit.run(), name="commit")
    tasks = [committing, asyncio.create_task(_housekeeping(folder, journal, commit, room), name="housekeeping")]
    way_in = TransportIntake(settings.sources, journal, commit, room)
    tasks.append(asyncio.create_task(_replaying(folder, way_in), name="replaying"))
    for transport, sources in _by_transport(settings).items():
        intake = TransportIntake(sources, journal, commit, room)
        tasks.append(asyncio.create_task(_transport(transport, intake, settings.listen.intake), name=transport))
    say(f"collect: {len(settings.sources)} sources by {', '.join(_by_transport(settings))}")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    await _end(tasks, committing, commit)
    journal.close()
    for task in done - {stopping}:
        task.result()  # a transport that ended by itself failed: let the supervisor see why


async def _transport(name: str, intake: TransportIntake, listen: str) -> None:
    """Run one transport; trouble outside, such as a port in use, stops only this one, and it tries again."""
    run = importlib.import_module(f"collectors.transports.{name}").run
    while True:
        try:
            await run(intake, listen)
        except Problem as problem:
            say(f"collect: {name} stopped: {problem}; again in {RETRY_S:g} s")
        await asyncio.sleep(RETRY_S)


async def _end(tasks: list[asyncio.Task[None]], committing: asyncio.Task[None], commit: GroupCommit) -> None:
    """Stop the transports first, so that what they handed over is still committed."""
    for task in tasks:
        if task is not committing:
            task.cancel()
    await asyncio.gather(*(task for task in tasks if task is not committing), return_exceptions=True)
    committing.cancel()  # what waits is still committed
    with contextlib.suppress(asyncio.CancelledError):
        await committing


def _by_transport(settings: Settings) -> dict[str, list[Source]]:
    grouped: dict[str, list[Source]] = defaultdict(list)
    for source in settings.sources:
        grouped[source.transport].append(source)
    return grouped


def _stop_event() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if leashed():
        loop.add_reader(0, lambda: stop.set() if leash_gone() else None)
    return stop


async def _housekeeping(folder: DataFolder, journal: Journal, commit: GroupCommit, room: DiskRoom) -> None:
    """Each second: the gauge, and the removal of journal files whose rows are sealed and triaged."""
    gauge = GaugeFile(folder.run, "collect")
    while True:
        through = done_through(folder.run)
        if through:
            await commit.between_commits(partial(journal.drop_through, through))
        gauge.set(last_offset=journal.last, queue_bytes=commit.queued_bytes, disk_full=not room.enough())
        await asyncio.sleep(HOUSEKEEPING_S)


async def _replaying(folder: DataFolder, way_in: TransportIntake) -> None:
    """Each second: what a person has taken out of quarantine comes in again, and canaries come in."""
    while True:
        await take_replays(folder.inbox, Quarantine(folder.quarantine), way_in, say)
        await take_canaries(folder.inbox, way_in, say)
        await asyncio.sleep(HOUSEKEEPING_S)


def main(folder: DataFolder, settings: Settings) -> None:
    """Collect until SIGTERM or the end of the supervisor."""
    asyncio.run(collect(folder, settings))


if __name__ == "__main__":
    start(main)
