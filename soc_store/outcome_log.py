"""The outcome log: what each batch came to, one row a batch, in the order of the journal's offsets.

It can be made again from the journal, so it is synced only now and then (``synchronous=NORMAL``), and by readers just
before they commit what they made of it: what is made again may differ, by other rules. A row is two blobs:
``head`` (findings, cards, stats) for triage and the roll-ups, ``rows`` (the archive's columns) for archiver and search.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from soc_model.outcome import Outcome, RowBlock
from soc_model.problem import Problem
from soc_store.log_files import FILE_BYTES, FILE_US, LogReader, LogWriter
from soc_store.packing import packed
from soc_store.versions import FileKind
from soc_store.zstd import ZstdError, compress, decompress

KIND = FileKind(
    "fengsui-outcomes",
    1,
    """
CREATE TABLE entry(offset INTEGER PRIMARY KEY, received INTEGER NOT NULL, head BLOB NOT NULL, rows BLOB NOT NULL);
""",
    "NORMAL",
)
_HEADS = "SELECT head FROM entry WHERE offset > ? ORDER BY offset LIMIT ?"
_OUTCOMES = "SELECT head, rows FROM entry WHERE offset > ? ORDER BY offset LIMIT ?"
_BLOCKS = "SELECT offset, rows FROM entry WHERE offset > ? ORDER BY offset LIMIT ?"
T = TypeVar("T")
MAGIC = b"fengsui-outcome 1\n"
LEVEL = 1
_HEAD = msgspec.msgpack.Decoder(Outcome)
_ROWS = msgspec.msgpack.Decoder(list[RowBlock])


class EncodedOutcome(NamedTuple):
    """An outcome ready to be appended: the detect worker encodes it, the parent only writes it."""

    offset: int
    received: int
    head: bytes
    rows: bytes


def encode_outcome(outcome: Outcome) -> EncodedOutcome:
    """The outcome as two blobs: everything but its blocks, and its blocks."""
    head = msgspec.structs.replace(outcome, blocks=[])
    return EncodedOutcome(outcome.offset, outcome.received, _encode(head), _encode(outcome.blocks))


def decode_head(blob: bytes) -> Outcome:
    """The outcome without its blocks; ``Problem`` when it is of another version or damaged."""
    return _decode(_HEAD, blob)


def decode_rows(blob: bytes) -> list[RowBlock]:
    """The blocks of an outcome; ``Problem`` when they are of another version or damaged."""
    return _decode(_ROWS, blob)


def _encode(value: object) -> bytes:
    return MAGIC + compress(packed(value), LEVEL)


def _decode(decoder: "msgspec.msgpack.Decoder[T]", blob: bytes) -> T:
    if not blob.startswith(MAGIC):
        raise Problem("outcome log", f"not an outcome of a known version: begins with {blob[: len(MAGIC)]!r}")
    try:
        return decoder.decode(decompress(blob[len(MAGIC) :]))
    except (ZstdError, msgspec.DecodeError) as error:
        raise Problem("outcome log", f"damaged outcome: {error}") from error


class OutcomeLog:
    """The one writer of an outcome log. Not for two threads at once."""

    def __init__(self, log: LogWriter) -> None:
        self._log = log

    @classmethod
    def open(cls, folder: Path) -> "OutcomeLog":
        """The outcome log in ``folder``, made where missing.

        ``Problem`` when another process writes it, its version is unknown, or the disk is not a local one.
        """
        return cls(LogWriter(folder, KIND))

    def append(self, outcomes: Sequence[EncodedOutcome]) -> None:
        """Write the outcomes in one transaction; ``ValueError`` unless their offsets only grow."""
        last = self._log.last
        for outcome in outcomes:
            if outcome.offset <= last:
                raise ValueError(f"outcome {outcome.offset} after {last}")
            last = outcome.offset
        with self._log.transaction() as connection:
            connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", outcomes)
        self._log.last = last

    def last(self) -> int:
        """The highest offset written, 0 before the first."""
        return self._log.last

    def rotate_if_due(self, now: int, file_bytes: int = FILE_BYTES, file_us: int = FILE_US) -> bool:
        """Begin a new file when this one is full or old; whether it did."""
        if not self._log.due(now, file_bytes, file_us):
            return False
        self._log.rotate()
        return True

    def drop_through(self, offset: int) -> int:
        """Delete the files all of whose outcomes are at or below ``offset``, never the newest; how many went."""
        return self._log.drop_through(offset)

    def close(self) -> None:
        """End writing and let the next writer in."""
        self._log.close()


class OutcomeReader:
    """Reads an outcome log while another process writes it, also across rotation."""

    def __init__(self, folder: Path) -> None:
        self._log = LogReader(folder, KIND)

    def heads(self, after: int, limit: int = 64) -> list[Outcome]:
        """Up to ``limit`` outcomes above offset ``after``, in order, without their blocks."""
        return [decode_head(head) for (head,) in self._log.rows(_HEADS, after, limit)]

    def outcomes(self, after: int, limit: int = 64) -> list[Outcome]:
        """Up to ``limit`` outcomes above offset ``after``, in order."""
        return [
            msgspec.structs.replace(decode_head(head), blocks=decode_rows(rows))
            for head, rows in self._log.rows(_OUTCOMES, after, limit)
        ]

    def blocks(self, after: int, limit: int = 64) -> list[tuple[int, list[RowBlock]]]:
        """Up to ``limit`` (offset, blocks) above offset ``after``, in order."""
        return [(offset, decode_rows(rows)) for offset, rows in self._log.rows(_BLOCKS, after, limit)]

    def first(self) -> int:
        """The first offset that may still be there; it grows whenever a file is dropped."""
        return self._log.first()

    def last(self) -> int:
        """The highest offset written, 0 before the first."""
        return self._log.last()

    def sync(self) -> None:
        """Return once every outcome read so far is on the disk; before anything made of them is committed."""
        self._log.sync()

    def close(self) -> None:
        """Let go of the open file."""
        self._log.close()
