"""The journal's unit: how chunks are laid into batches of at most ``BATCH_BYTES``, and a batch as bytes and back."""

from collections.abc import Iterable, Iterator

import msgspec

from soc_model.chunk import BATCH_BYTES, Batch, Chunk
from soc_model.problem import Problem
from soc_store.packing import packed
from soc_store.zstd import ZstdError, compress, decompress

MAGIC = b"fengsui-batch 1\n"
LEVEL = 1  # 0.34 ms for 256 KiB of syslog; level 3 took 0.56 ms and was no smaller
_DECODER = msgspec.msgpack.Decoder(Batch)


def encode_batch(batch: Batch) -> bytes:
    """Name and version, then zstd of msgpack."""
    return MAGIC + compress(packed(batch), LEVEL)


def decode_batch(blob: bytes) -> Batch:
    """The batch in ``blob``; ``Problem`` when it is of another version or damaged."""
    if not blob.startswith(MAGIC):
        raise Problem("journal", f"not a batch of a known version: begins with {blob[: len(MAGIC)]!r}")
    try:
        return _DECODER.decode(decompress(blob[len(MAGIC) :]))
    except (ZstdError, msgspec.DecodeError) as error:
        raise Problem("journal", f"damaged batch: {error}") from error


def split(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """The chunks in order as groups of at most ``BATCH_BYTES`` raw; one larger record stands alone.

    A chunk that does not fit is cut between records; only its last piece carries the position.
    """
    group: list[Chunk] = []
    room = BATCH_BYTES
    for chunk in chunks:
        for piece in pieces(chunk, room):
            if group and piece.size_bytes > room:
                yield group
                group, room = [], BATCH_BYTES
            group.append(piece)
            room -= piece.size_bytes
    if group:
        yield group


def pieces(chunk: Chunk, room: int) -> Iterator[Chunk]:
    """``chunk`` cut between records: the first piece fits into ``room`` where one record does, the others into
    ``BATCH_BYTES``, but a larger record makes a piece of its own."""
    if chunk.size_bytes <= room or len(chunk.records) < 2:
        if chunk.records:
            yield chunk
        return
    begin, size = 0, 0
    for index, record in enumerate(chunk.records):
        if index > begin and size + len(record) > room:
            yield _part(chunk, begin, index)
            begin, size, room = index, 0, BATCH_BYTES
        elif index == begin and len(record) > room:
            room = BATCH_BYTES
        size += len(record)
    yield _part(chunk, begin, len(chunk.records))


def _part(chunk: Chunk, begin: int, end: int) -> Chunk:
    return msgspec.structs.replace(
        chunk,
        records=chunk.records[begin:end],
        position=chunk.position if end == len(chunk.records) else None,
        oversize={index - begin: what for index, what in chunk.oversize.items() if begin <= index < end},
    )
