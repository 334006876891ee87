"""Whole records on their way into the journal: chunks of one stream, batches of many chunks.

A record is addressed by (offset, chunk, byte): the journal offset of its batch, the index of its chunk in the batch,
and the summed length of the records before it in that chunk.
"""

from typing import Any

import msgspec

from soc_model.source import Source

BATCH_BYTES = 256 * 1024
RECORD_BYTES = 1024 * 1024
KEPT_BYTES = 64 * 1024


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """A digest that names its algorithm (``sha256``; ``sm3`` is a choice), lower-case hex."""

    alg: str
    hex: str


class Oversize(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a record over ``RECORD_BYTES`` of which only the first ``KEPT_BYTES`` are kept."""

    length_bytes: int
    digest: Digest


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Whole records of one stream of one source, in order, with all that is needed to decode them alone.

    ``stream``: file identity, connection or partition. ``context``: what the format's ``cut`` left (header lines,
    codec, zone). ``position``: the transport's own resume point just after the last record (where ``rest`` begins);
    committed with the records, ``None`` where the transport cannot resume. ``oversize``: by index in ``records``.
    """

    source_id: str
    stream: str
    received: int
    format: str
    records: list[bytes]
    context: dict[str, Any] = {}
    position: dict[str, Any] | None = None
    oversize: dict[int, Oversize] = {}

    @property
    def size_bytes(self) -> int:
        """Raw bytes of all records."""
        return sum(map(len, self.records))


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One journal row: chunks of many sources, at most ``BATCH_BYTES`` raw (one larger record stands alone).

    ``sources`` holds the configuration of every source in it as it was when the records came in, so that a batch
    means the same whenever it is read again.
    """

    offset: int
    received: int
    sources: dict[str, Source]
    chunks: list[Chunk]
