"""What a transport is given: the only way into the journal, and where it left off."""

from collections.abc import Sequence
from typing import Any, Protocol

from soc_model.chunk import Chunk
from soc_model.source import Source


class IntakeFull(Exception):
    """The queue in front of the journal is full: stop reading, or answer 429, and try again."""


class Intake(Protocol):
    """One transport's view of the center. ``append`` returning is the acknowledgement: the chunks are durable."""

    @property
    def sources(self) -> Sequence[Source]:
        """The sources of this transport, and only these."""
        ...

    async def append(self, chunks: Sequence[Chunk], request: bytes | None = None) -> bool:
        """Make chunks durable. ``request``: SHA-256 digest of a request that may be repeated.

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
