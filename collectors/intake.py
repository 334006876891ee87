"""What a transport is given: the only way into the journal, and where it left off."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from soc_model.chunk import Chunk
from soc_model.source import Source

FULL_S = 0.1  # to wait when the journal takes no more


class IntakeFull(Exception):
    """The queue in front of the journal is full: stop reading, or answer 429, and try again."""


class Intake(Protocol):
    """One transport's view of the center. ``append`` returning is the acknowledgement: the chunks are durable."""

    @property
    def sources(self) -> Sequence[Source]:
        """The sources of this transport, and only these."""
        ...

    async def append(
        self,
        chunks: Sequence[Chunk],
        request: bytes | None = None,
        counters: Mapping[tuple[str, str], int] = {},
    ) -> bool:
        """Make chunks durable. ``request``: SHA-256 digest of a request that may be repeated.

        ``counters``: what to add to public counters, by (source id, name), in the same transaction as the chunks. A
        chunk without records only commits its position; while a stream exists it is committed anew at least monthly.
        False when this request was already journaled: acknowledge it, its chunks were dropped as redelivered.
        Raises ``IntakeFull``.
        """
        ...

    def positions(self, source_id: str) -> dict[str, dict[str, Any]]:
        """By stream: the last committed ``Chunk.position``, with that chunk's context under the key ``context``."""
        ...

    def count(self, source_id: str, counter: str, n: int = 1) -> None:
        """Add to a public counter of a source."""
        ...

    def now(self) -> int:
        """The current time in µs."""
        ...


def counted(chunks: Sequence[Chunk]) -> Counter[tuple[str, str]]:
    """The public counters of what is in chunks: records, and those of which only the beginning is kept."""
    counters: Counter[tuple[str, str]] = Counter()
    for chunk in chunks:
        counters[chunk.source_id, "records"] += len(chunk.records)
        counters[chunk.source_id, "oversize"] += len(chunk.oversize)
    return +counters


async def append_waiting(intake: Intake, chunks: Sequence[Chunk], counters: Mapping[tuple[str, str], int] = {}) -> None:
    """Make chunks durable with their counters; waits while the journal is full, so that its caller stops reading."""
    if not chunks:
        for (source_id, name), n in counters.items():
            intake.count(source_id, name, n)
    counters = Counter(counters) + counted(chunks)
    while chunks:
        try:
            await intake.append(chunks, None, counters)
            return
        except IntakeFull:
            await asyncio.sleep(FULL_S)
