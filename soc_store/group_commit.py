"""Group commit: the chunks of all sources in one journal commit, every 50 ms or 256 KiB; each waiter is woken once
its own are on the disk."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOSPC

from soc_model.chunk import BATCH_BYTES, Chunk
from soc_store.journal import Journal

QUEUE_BYTES = 16 * 1024 * 1024
COMMIT_S = 0.05
COUNT_S = 1.0
REDELIVERY_S = 600.0  # for so long a request whose acknowledgement may not have been heard is recognised
REDELIVERED = "redelivered"
_FULL = 13  # SQLITE_FULL


class Full(Exception):
    """The queue, or the disk, has no room: say 429, or stop reading, and try again."""


class DiskFull(Full):
    """The disk has none."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiting:
    chunks: Sequence[Chunk]
    request: bytes | None
    counters: Mapping[tuple[str, str], int]
    size_bytes: int
    done: asyncio.Future[None]
    listeners: int = 0

    async def heard(self) -> None:
        """Wait until it is committed; whoever gives up waiting does not stop the others that do."""
        self.listeners += 1
        try:
            await asyncio.shield(self.done)
        finally:
            self.listeners -= 1


class GroupCommit:
    """The only way into the journal; belongs to one event loop. ``on_commit`` is called after each commit of chunks."""

    def __init__(
        self, journal: Journal, on_commit: Callable[[], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal, self._on_commit, self._monotonic = journal, on_commit, monotonic
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._wake = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._queued_bytes = 0  # waiting and being committed
        self._gathered_bytes = 0  # waiting
        self._counters: Counter[tuple[str, str]] = Counter()
        #: Committed, but perhaps not heard: until when each is recognised, the earliest first.
        self._unheard = dict.fromkeys(journal.recent_requests(), monotonic() + REDELIVERY_S)
        self._in_flight: dict[bytes, _Waiting] = {}
        self._committing: asyncio.Task[None] | None = None
        self._closed = False

    async def append(
        self,
        chunks: Sequence[Chunk],
        request: bytes | None = None,
        counters: Mapping[tuple[str, str], int] = {},
    ) -> bool:
        """Return once the chunks are durable; ``False`` when ``request`` was, or meanwhile is, in the journal.

        ``counters`` are committed with the chunks, so they never disagree; by (source id, name).
        ``Problem`` for a source that is not configured, so that it fails nobody else's commit.
        A request whose sender may not have heard the acknowledgement is recognised once within 10 minutes: it was
        committed in the 60 s before a crash, or nobody waited for it any more. One that still waits for its commit is
        recognised too. Raises ``Full`` when 16 MiB wait or the disk is full.
        """
        self._journal.check(chunks)
        if request is not None and await self._is_redelivered(request):
            self._count_redelivered(chunks)
            return False
        waiting = self._queue(chunks, request, counters)
        await waiting.heard()
        return True

    async def _is_redelivered(self, request: bytes) -> bool:
        """Whether it was committed before; waits for a commit that is on its way."""
        if self._unheard.pop(request, 0.0) > self._monotonic():
            return True
        if request not in self._in_flight:
            return False
        await self._in_flight[request].heard()
        return True

    def _queue(
        self, chunks: Sequence[Chunk], request: bytes | None, counters: Mapping[tuple[str, str], int]
    ) -> _Waiting:
        size = sum(chunk.size_bytes for chunk in chunks)
        if self._closed:
            raise Full("the journal is closed")
        if self._queued_bytes and self._queued_bytes + size > QUEUE_BYTES:
            raise Full(f"{self._queued_bytes} bytes wait to be written")
        done = asyncio.get_running_loop().create_future()
        waiting = _Waiting(chunks=chunks, request=request, counters=counters, size_bytes=size, done=done)
        self._waiting.append(waiting)
        if request is not None:
            self._in_flight[request] = waiting
        self._queued_bytes += size
        self._gathered_bytes += size
        self._wake.set()
        return waiting

    def count(self, source_id: str, counter: str, n: int = 1) -> None:
        """Add to a public counter; kept with the next commit, within a second."""
        self._counters[source_id, counter] += n

    @property
    def queued_bytes(self) -> int:
        """Raw bytes that wait for their commit."""
        return self._queued_bytes

    async def between_commits(self, act: Callable[[], object]) -> None:
        """Run ``act`` on the journal's own thread, so never while a commit is under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, act)

    async def run(self) -> None:
        """Commit until cancelled; what waits then is still committed. Raises what the journal raises.

        Cancelled when the transports have ended, so all that was committed before was acknowledged and is forgotten:
        the same body in the next life is a new request.
        """
        try:
            while True:
                await self._gather()
                self._committing = asyncio.create_task(self._commit())
                await asyncio.shield(self._committing)
        finally:
            self._closed = True
            told_late = set(self._in_flight)
            if self._committing is not None:
                await asyncio.wait([self._committing])
            await self._commit()
            if self._committing is None or self._committing.exception() is None:
                await self.between_commits(lambda: self._forget(told_late))
            self._thread.shutdown()

    def _forget(self, told_late: set[bytes]) -> None:
        # Without room on the disk they are only recognised once more, as after a crash.
        with suppress(sqlite3.OperationalError):
            self._journal.forget_requests(told_late | self._unheard.keys())

    async def _gather(self) -> None:
        """Wait for the first chunks (or for counters, 1 s), then for 50 ms or 256 KiB of them."""
        await self._woken(COUNT_S)
        end = asyncio.get_running_loop().time() + COMMIT_S
        while self._waiting and self._gathered_bytes < BATCH_BYTES:
            left = end - asyncio.get_running_loop().time()
            if left <= 0 or not await self._woken(left):
                break

    async def _woken(self, within_s: float) -> bool:
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the wake-up.
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _commit(self) -> None:
        waiting, self._waiting, self._gathered_bytes = self._waiting, [], 0
        counters, self._counters = self._counters, Counter()
        if not waiting and not counters:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, waiting, counters.copy())
        except Exception as error:
            self._counters.update(counters)
            self._fail(waiting, error)
        else:
            self._succeed(waiting)

    def _write(self, waiting: list[_Waiting], counters: Counter[tuple[str, str]]) -> None:
        chunks = [chunk for one in waiting for chunk in one.chunks]
        requests = [one.request for one in waiting if one.request is not None]
        for one in waiting:
            counters.update(one.counters)
        self._journal.rotate_if_due()
        self._journal.commit(chunks, requests, counters)

    def _succeed(self, waiting: list[_Waiting]) -> None:
        self._expire()
        for one in waiting:
            self._leave(one)
            one.done.set_result(None)
            if one.request is not None and not one.listeners:
                self._unheard[one.request] = self._monotonic() + REDELIVERY_S
        if waiting:
            self._on_commit()

    def _expire(self) -> None:
        while self._unheard and next(iter(self._unheard.values())) <= self._monotonic():
            del self._unheard[next(iter(self._unheard))]

    def _leave(self, one: _Waiting) -> None:
        self._queued_bytes -= one.size_bytes
        if one.request is not None:
            self._in_flight.pop(one.request, None)

    def _fail(self, waiting: list[_Waiting], error: Exception) -> None:
        full = getattr(error, "sqlite_errorcode", 0) == _FULL or getattr(error, "errno", 0) == ENOSPC
        told = DiskFull("the disk is full") if full else error
        for one in waiting:
            self._leave(one)
            if one.listeners:
                one.done.set_exception(told)
            else:
                one.done.cancel()
        if not full:
            raise error

    def _count_redelivered(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self.count(chunk.source_id, REDELIVERED, len(chunk.records))
