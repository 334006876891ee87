"""A log kept as a row of numbered SQLite files: one writer appends to the newest, any reader reads across them.

Every kind of log keeps its rows in the table ``entry(offset INTEGER PRIMARY KEY, received INTEGER, ...)``.
A file's name ends in the offset of the first row it may hold, and it appears complete under that name, so a listing
tells which file holds an offset, and every file but the newest is final. The newest is never dropped: it alone
remembers how far the offsets have come.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from soc_model.problem import Problem
from soc_store.durable import sync_file, sync_folder
from soc_store.lock import FolderLock
from soc_store.versions import FileKind, create, open_reader, open_writer

FILE_BYTES = 1 << 30
FILE_US = 3_600_000_000
_NAME = re.compile(r"(?P<first>\d{16})\.db")
_IOERR = 10
_LAST = "SELECT max(offset) FROM entry"

Fill = Callable[[sqlite3.Connection], None]


class LogFile(NamedTuple):
    """One file of a log: the first offset it may hold, and where it is."""

    first: int
    path: Path


def list_files(folder: Path) -> list[LogFile]:
    """The files of the log in ``folder``, oldest first."""
    names = (path for path in folder.iterdir()) if folder.is_dir() else iter(())
    found = ((_NAME.fullmatch(path.name), path) for path in names)
    return sorted(LogFile(int(match["first"]), path) for match, path in found if match)


class LogWriter:
    """The newest file of a log, open for appending by this process alone; ``last`` is the highest offset written."""

    def __init__(self, folder: Path, kind: FileKind) -> None:
        self._folder, self._kind = folder, kind
        self._failed = False
        self._lock = FolderLock.take(folder)
        try:
            self._sweep()
            self._open_newest()
        except BaseException:
            self._lock.release()
            raise

    def _sweep(self) -> None:
        """Remove what a crash left: unfinished files, and side files whose file was dropped."""
        names = {path.name for path in self._folder.iterdir()}
        for name in names:
            main = re.sub(r"\.new(-journal)?$|-(wal|shm)$", "", name)
            if name != main and (".new" in name or main not in names):
                (self._folder / name).unlink()

    def _open_newest(self) -> None:
        files = list_files(self._folder) or [self._create(1, lambda _: None)]
        self.file = files[-1]
        self.connection = open_writer(self.file.path, self._kind)
        (last,) = self.connection.execute(_LAST).fetchone()
        self.last: int = self.file.first - 1 if last is None else last

    def _create(self, first: int, fill: Fill) -> LogFile:
        path = self._folder / f"{first:016d}.db"
        create(path, self._kind, fill)
        return LogFile(first, path)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed (and in fsync mode FULL synced) when the block ends.

        After an I/O error nothing is written any more: the kernel may have forgotten which pages it failed to write,
        so a second fsync that succeeds would prove nothing.
        """
        if self._failed:
            raise Problem(str(self.file.path), "an earlier write failed; open it again")
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException as error:
            self._failed = getattr(error, "sqlite_errorcode", 0) & 0xFF == _IOERR
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def due(self, now: int, file_bytes: int, file_us: int) -> bool:
        """Whether the newest file is full or old: it holds rows, and is over ``file_bytes`` or its first row over
        ``file_us`` ago (or ahead: then the clock was set back, and its age cannot be known)."""
        row = self.connection.execute("SELECT received FROM entry ORDER BY offset LIMIT 1").fetchone()
        if row is None:
            return False
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = self.connection.execute("PRAGMA page_size").fetchone()
        return bool(pages * page_bytes >= file_bytes or abs(now - row[0]) >= file_us)

    def rotate(self, fill: Fill = lambda _: None) -> None:
        """Begin a new file with what ``fill`` writes into it; offsets go on.

        Once the new file can be seen, the old one is final: if it then cannot be opened, nothing more is written. The
        old one is synced before: else a power cut could take its last rows and leave the new file that follows them.
        """
        old, self._failed = self.connection, True
        self._sync()
        try:
            self.file = self._create(self.last + 1, fill)
        except BaseException:
            self._failed = list_files(self._folder)[-1] != self.file
            raise
        self.connection = open_writer(self.file.path, self._kind)
        self._failed = False
        old.close()

    def _sync(self) -> None:
        for path in (self.file.path.with_name(self.file.path.name + "-wal"), self.file.path):
            if path.exists():
                sync_file(path)

    def drop_through(self, offset: int) -> int:
        """Delete the files whose rows are all at or below ``offset``, never the newest; how many went."""
        files = list_files(self._folder)
        dropped = [file for file, after in pairwise(files) if after.first - 1 <= offset]
        for file in dropped:
            for suffix in ("", "-wal", "-shm"):
                file.path.with_name(file.path.name + suffix).unlink(missing_ok=True)
        if dropped:
            sync_folder(self._folder)
        return len(dropped)

    def close(self) -> None:
        """End writing and let the next writer in."""
        self.connection.close()
        self._lock.release()


class LogReader:
    """Reads a log while its writer writes, across files; not for two threads at once."""

    def __init__(self, folder: Path, kind: FileKind) -> None:
        self._folder, self._kind = folder, kind
        self._open: tuple[Path, sqlite3.Connection] | None = None

    def rows(self, sql: str, after: int, limit: int) -> list[tuple[Any, ...]]:
        """What ``sql`` gives (parameters: after, limit) over all files: up to ``limit`` rows above ``after``, in order.

        Only the newest listed file can still grow, and it is read last, so the rows have no gap.
        """
        found: list[tuple[Any, ...]] = []
        files = list_files(self._folder)
        for file, following in zip_longest(files, files[1:]):
            if following is not None and following.first - 1 <= after:
                continue
            found += self._ask(file.path, sql, (after, limit - len(found)))
            if len(found) >= limit:
                break
        return found

    def newest(self, sql: str) -> list[tuple[Any, ...]]:
        """What ``sql`` gives on the newest file; nothing where the log has not begun."""
        files = list_files(self._folder)
        return self._ask(files[-1].path, sql, ()) if files else []

    def first(self) -> int:
        """The first offset the oldest file may hold: it grows whenever a file is dropped; 0 before the first."""
        files = list_files(self._folder)
        return files[0].first if files else 0

    def last(self) -> int:
        """The highest offset written, 0 before the first."""
        while files := list_files(self._folder):
            row = self._ask(files[-1].path, _LAST, ())
            if row:
                return files[-1].first - 1 if row[0][0] is None else int(row[0][0])
        return 0

    def sync(self) -> None:
        """Return once every row that could be read so far is on the disk, also where the writer syncs only now and
        then: whoever commits what it made of rows must never be ahead of them after a power cut.

        Rows are in the newest file's write-ahead log, or were synced: by the checkpoint that moved them, by the close
        that removed that log, or by the rotation that made a newer file.
        """
        for file in list_files(self._folder)[-1:]:
            with suppress(FileNotFoundError):
                sync_file(file.path.with_name(file.path.name + "-wal"))

    def close(self) -> None:
        """Let go of the open file."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _ask(self, path: Path, sql: str, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection(path).execute(sql, values).fetchall()
        except FileNotFoundError:
            return []  # dropped since it was listed

    def _connection(self, path: Path) -> sqlite3.Connection:
        if self._open is None or self._open[0] != path:
            self.close()
            self._open = (path, open_reader(path, self._kind))
        return self._open[1]
