"""A detect worker: batches in over one pipe, outcomes out over another; it opens nothing and leaves by os._exit.

Frames, little-endian. In: ``<IqB`` length, offset, careful, then the journal's blob. Out: ``<IIqq`` head length, rows
length, offset, received, then head and rows as the outcome log keeps them.
"""

import gc
import os
import struct
import traceback

from detection_rules.snapshot import Snapshot
from soc_center.pipeline import process
from soc_store.journal import decode_batch
from soc_store.outcome_log import encode_outcome

REQUEST = struct.Struct("<IqB")
REPLY = struct.Struct("<IIqq")
FAILED = 70


def work(requests: int, replies: int, snapshot: Snapshot) -> None:
    """Answer every request until the pipe ends; never returns."""
    gc.disable()
    try:
        while (head := _read(requests, REQUEST.size)) is not None:
            length, offset, careful = REQUEST.unpack(head)
            blob = _read(requests, length)
            if blob is None:
                break
            _write(replies, answer(blob, offset, snapshot, careful=bool(careful)))
    except BrokenPipeError:
        pass
    except BaseException:
        traceback.print_exc()
        os._exit(FAILED)
    os._exit(0)


def answer(blob: bytes, offset: int, snapshot: Snapshot, *, careful: bool) -> bytes:
    """The reply frame of one batch."""
    batch = decode_batch(blob)
    if batch.offset != offset:
        raise ValueError(f"journal row {offset} holds batch {batch.offset}")
    encoded = encode_outcome(process(batch, snapshot, careful=careful))
    lengths = REPLY.pack(len(encoded.head), len(encoded.rows), encoded.offset, encoded.received)
    return b"".join((lengths, encoded.head, encoded.rows))


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
