"""Group commit: the chunks of all sources in one journal commit, every 50 ms or 256 KiB; each waiter is woken once
its own are on the disk."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import ENOSPC

from soc_model.chunk import BATCH_BYTES, Chunk
from soc_store.journal import Journal

QUEUE_BYTES = 16 * 1024 * 1024
COMMIT_S = 0.05
COUNT_S = 1.0
REDELIVERED = "redelivered"
_FULL = 13  # SQLITE_FULL


class Full(Exception):
    """The queue, or the disk, has no room: say 429, or stop reading, and try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    chunks: Sequence[Chunk]
    request: bytes | None
    size_bytes: int
    done: asyncio.Future[None]


class GroupCommit:
    """The only way into the journal; belongs to one event loop. ``on_commit`` is called after each commit of chunks."""

    def __init__(self, journal: Journal, on_commit: Callable[[], None]) -> None:
        self._journal, self._on_commit = journal, on_commit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._wake = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._queued_bytes = 0  # waiting and being committed
        self._gathered_bytes = 0  # waiting
        self._counters: Counter[tuple[str, str]] = Counter()
        self._seen = journal.recent_requests()
        self._committing: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, chunks: Sequence[Chunk], request: bytes | None = None) -> bool:
        """Return once the chunks are durable; ``False`` when ``request`` was already in the journal.

        ``Problem`` for a source that is not configured, so that it fails nobody else's commit.
        A request of the 60 s before the journal was opened is recognised once: its sender did not hear the
        acknowledgement before the crash and sends again. Raises ``Full`` when 16 MiB wait or the disk is full.
        """
        self._journal.check(chunks)
        if request is not None and request in self._seen:
            self._seen.discard(request)
            self._count_redelivered(chunks)
            return False
        size = sum(chunk.size_bytes for chunk in chunks)
        if self._closed:
            raise Full("the journal is closed")
        if self._queued_bytes and self._queued_bytes + size > QUEUE_BYTES:
            raise Full(f"{self._queued_bytes} bytes wait to be written")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(chunks=chunks, request=request, size_bytes=size, done=done))
        self._queued_bytes += size
        self._gathered_bytes += size
        self._wake.set()
        await done
        return True

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
        """Commit until cancelled; what waits then is still committed. Raises what the journal raises."""
        try:
            while True:
                await self._gather()
                self._committing = asyncio.create_task(self._commit())
                await asyncio.shield(self._committing)
        finally:
            self._closed = True
            if self._committing is not None:
                await asyncio.wait([self._committing])
            await self._commit()
            self._thread.shutdown()

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
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, waiting, counters)
        except Exception as error:
            self._counters.update(counters)
            self._fail(waiting, error)
        else:
            self._succeed(waiting)

    def _write(self, waiting: list[_Waiting], counters: Counter[tuple[str, str]]) -> None:
        chunks = [chunk for one in waiting for chunk in one.chunks]
        requests = [one.request for one in waiting if one.request is not None]
        self._journal.rotate_if_due()
        self._journal.commit(chunks, requests, counters)

    def _succeed(self, waiting: list[_Waiting]) -> None:
        for one in waiting:
            self._queued_bytes -= one.size_bytes
            if not one.done.done():
                one.done.set_result(None)
        if waiting:
            self._on_commit()

    def _fail(self, waiting: list[_Waiting], error: Exception) -> None:
        full = getattr(error, "sqlite_errorcode", 0) == _FULL or getattr(error, "errno", 0) == ENOSPC
        told = Full("the disk is full") if full else error
        for one in waiting:
            self._queued_bytes -= one.size_bytes
            if not one.done.done():
                one.done.set_exception(told)
        if not full:
            raise error

    def _count_redelivered(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self.count(chunk.source_id, REDELIVERED, len(chunk.records))
