"""The journal: what was received, durable before it is acknowledged, in the order of its offsets.

One commit is one SQLite transaction (WAL, ``synchronous=FULL``) of batches, stream positions, counters and request
digests, so after a crash they agree. Offsets begin at 1, go on across files and are never used twice. A new file
begins with the positions, counters and recent requests of the one before, without positions unseen for 30 days.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from soc_model.chunk import Batch, Chunk
from soc_model.problem import Problem
from soc_model.source import Source
from soc_store.batch import decode_batch, encode_batch, split
from soc_store.log_files import FILE_BYTES, FILE_US, LogReader, LogWriter
from soc_store.packing import packed
from soc_store.versions import FileKind

__all__ = ["Journal", "JournalReader", "decode_batch"]

KIND = FileKind(
    "fengsui-journal",
    1,
    """
CREATE TABLE entry(offset INTEGER PRIMARY KEY, received INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE position(source_id TEXT, stream BLOB, value BLOB NOT NULL, PRIMARY KEY (source_id, stream)) WITHOUT ROWID;
CREATE TABLE counter(source_id TEXT, name TEXT, n INTEGER NOT NULL, PRIMARY KEY (source_id, name)) WITHOUT ROWID;
CREATE TABLE request(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, digest BLOB NOT NULL);
CREATE INDEX request_at ON request(at);
""",
    "FULL",
)
REQUESTS_S = 60
UNSEEN_US = 30 * 86_400 * 1_000_000
_SECOND_US = 1_000_000
_RECENT = "SELECT digest FROM request WHERE at >= (SELECT max(at) - ? FROM request)"
_FORGET = "DELETE FROM request WHERE at < (SELECT max(at) - ? FROM request)"
_CARRIED = (
    ("SELECT * FROM counter", "INSERT INTO counter VALUES (?, ?, ?)"),
    ("SELECT * FROM request ORDER BY seq", "INSERT INTO request VALUES (?, ?, ?)"),
)
_POSITIONS = "SELECT stream, value FROM position WHERE source_id = ?"
_READ = "SELECT offset, blob FROM entry WHERE offset > ? ORDER BY offset LIMIT ?"
_POSITION = "INSERT INTO position VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_COUNTER = "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"


def _running_us() -> int:
    return time.monotonic_ns() // 1000


class Journal:
    """The one writer of a journal; its methods take turns, whatever thread they are called from.

    Requests have a time of their own, in which only running counts: it goes on from the newest one kept, so neither
    a long stop nor a clock that is set makes the last ones before a crash look old.
    """

    def __init__(
        self, log: LogWriter, sources: Mapping[str, Source], now: Callable[[], int], running: Callable[[], int]
    ) -> None:
        self._log, self._sources, self._now, self._running = log, sources, now, running
        (newest,) = log.connection.execute("SELECT max(at) FROM request").fetchone()
        self._pruned = running()
        self._before = (newest or 0) - self._pruned
        self._turn = Lock()

    @classmethod
    def open(
        cls,
        folder: Path,
        sources: Mapping[str, Source],
        *,
        now: Callable[[], int],
        running: Callable[[], int] = _running_us,
    ) -> "Journal":
        """The journal in ``folder``, made where missing. ``running``: µs that only grow, since any moment.

        ``Problem`` when another process writes it, its version is unknown, or the disk is not a local one.
        """
        return cls(LogWriter(folder, KIND), sources, now, running)

    def commit(
        self,
        chunks: Sequence[Chunk],
        requests: Sequence[bytes] = (),
        counters: Mapping[tuple[str, str], int] = {},
    ) -> list[int]:
        """The offsets of the batches the chunks became, once all of it is on the disk; otherwise nothing is kept.

        A chunk without records only commits its position, which says too that its stream was seen.
        ``counters``: what to add, by (source id, name). ``Problem`` for a chunk of a source that is not configured.
        """
        with self._turn:
            return self._commit(chunks, requests, counters)

    def _commit(
        self, chunks: Sequence[Chunk], requests: Sequence[bytes], counters: Mapping[tuple[str, str], int]
    ) -> list[int]:
        now = self._now()
        rows = [self._row(offset, now, group) for offset, group in enumerate(split(chunks), self._log.last + 1)]
        positions = [_position(chunk, now) for chunk in chunks if chunk.position is not None]
        with self._log.transaction() as connection:
            connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
            connection.executemany(_POSITION, positions)
            connection.executemany(_COUNTER, [(source, name, n) for (source, name), n in counters.items()])
            self._keep_requests(connection, requests)
        self._log.last += len(rows)
        return [row[0] for row in rows]

    def _row(self, offset: int, now: int, group: list[Chunk]) -> tuple[int, int, bytes]:
        sources = {chunk.source_id: self._source(chunk.source_id) for chunk in group}
        return offset, now, encode_batch(Batch(offset=offset, received=now, sources=sources, chunks=group))

    def check(self, chunks: Sequence[Chunk]) -> None:
        """Raise ``Problem`` when a chunk is of a source that is not configured."""
        for chunk in chunks:
            self._source(chunk.source_id)

    def _source(self, source_id: str) -> Source:
        try:
            return self._sources[source_id]
        except KeyError:
            raise Problem(f"source {source_id!r}", "is not configured") from None

    def _keep_requests(self, connection: sqlite3.Connection, requests: Sequence[bytes]) -> None:
        running = self._running()
        rows = [(self._before + running, digest) for digest in requests]
        connection.executemany("INSERT INTO request(at, digest) VALUES (?, ?)", rows)
        if running - self._pruned > REQUESTS_S * _SECOND_US:
            self._pruned = running
            connection.execute(_FORGET, (REQUESTS_S * _SECOND_US,))

    def positions(self, source_id: str) -> dict[str, dict[str, Any]]:
        """By stream: the last committed position, with the chunk's context under ``context``."""
        with self._turn:
            rows = self._log.connection.execute(_POSITIONS, (source_id,)).fetchall()
        decoded = {stream.decode("utf-8", "surrogatepass"): msgspec.msgpack.decode(value) for stream, value in rows}
        return {stream: _without_seen(position) for stream, position in decoded.items()}

    def recent_requests(self, within_s: int = REQUESTS_S) -> set[bytes]:
        """The digests committed in the ``within_s`` seconds of running before the last one was, and not forgotten."""
        with self._turn:
            rows = self._log.connection.execute(_RECENT, (within_s * _SECOND_US,)).fetchall()
        return {digest for (digest,) in rows}

    def forget_requests(self, keep: Collection[bytes] = ()) -> None:
        """Forget all requests but ``keep``: their senders heard the acknowledgement and will not send them again."""
        kept = frozenset(keep)
        with self._turn, self._log.transaction() as connection:
            rows = connection.execute("SELECT seq, digest FROM request").fetchall()
            gone = [(seq,) for seq, digest in rows if digest not in kept]
            connection.executemany("DELETE FROM request WHERE seq = ?", gone)

    @property
    def last(self) -> int:
        """The highest offset committed, 0 before the first."""
        return self._log.last

    def rotate_if_due(self, file_bytes: int = FILE_BYTES, file_us: int = FILE_US) -> bool:
        """Begin a new file when this one is full or old; whether it did."""
        with self._turn:
            if not self._log.due(self._now(), file_bytes, file_us):
                return False
            self._log.rotate(self._carry)
            return True

    def _carry(self, new: sqlite3.Connection) -> None:
        old = self._log.connection
        new.executemany(_POSITION, _still_seen(old.execute("SELECT * FROM position"), self._now()))
        for select, insert in _CARRIED:
            new.executemany(insert, old.execute(select))

    def drop_through(self, offset: int) -> int:
        """Delete the files all of whose batches are at or below ``offset``, never the newest; how many went."""
        with self._turn:
            return self._log.drop_through(offset)

    def close(self) -> None:
        """End writing and let the next writer in."""
        with self._turn:
            self._log.close()


_PositionRow = tuple[str, bytes, bytes]


def _position(chunk: Chunk, now: int) -> _PositionRow:
    value = {"context": chunk.context, **(chunk.position or {}), "seen": now}
    # A file name need not be valid UTF-8; as bytes it comes back as it was given.
    return chunk.source_id, chunk.stream.encode("utf-8", "surrogatepass"), packed(value)


def _without_seen(position: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in position.items() if name != "seen"}


def _still_seen(rows: Iterable[_PositionRow], now: int) -> Iterator[_PositionRow]:
    """The positions but those last seen ``UNSEEN_US`` before the newest one was (a stop makes none old).

    A time ahead is of a clock that was wrong, and no time of a version that kept none: both count as seen now.
    """
    decoded = [(source_id, stream, msgspec.msgpack.decode(value)) for source_id, stream, value in rows]
    seen = [min(position.get("seen", now), now) for _, _, position in decoded]
    newest = max(seen, default=now)
    for (source_id, stream, position), at in zip(decoded, seen, strict=True):
        if newest - at <= UNSEEN_US:
            yield source_id, stream, packed({**position, "seen": at})


class JournalReader:
    """Reads a journal while another process writes it, also across rotation."""

    def __init__(self, folder: Path) -> None:
        self._log = LogReader(folder, KIND)

    def read(self, after: int, limit: int = 64) -> list[tuple[int, bytes]]:
        """Up to ``limit`` batches above offset ``after``, in order, without a gap: (offset, blob as stored)."""
        rows = self._log.rows(_READ, after, limit)
        return [(offset, blob) for offset, blob in rows]

    def last(self) -> int:
        """The highest offset committed, 0 before the first."""
        return self._log.last()

    def counters(self) -> dict[str, dict[str, int]]:
        """All counters since the first start, by source and name."""
        counted: dict[str, dict[str, int]] = {}
        for source_id, name, n in self._log.newest("SELECT source_id, name, n FROM counter"):
            counted.setdefault(source_id, {})[name] = n
        return counted

    def close(self) -> None:
        """Let go of the open file."""
        self._log.close()
