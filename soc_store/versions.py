"""SQLite files with a name and a version in their table ``meta``, made whole or not at all, and refused when unknown.

Writers run in WAL mode with the fsync mode of their kind; readers never write.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from soc_model.problem import Problem
from soc_store.durable import publish

PAGE_BYTES = 16_384  # rows are 10-100 KiB blobs: with 4 KiB pages the 99th percentile of a commit was 9 times longer
WAIT_S = 5.0
_LEVELS = {"NORMAL": 1, "FULL": 2}


class FileKind(NamedTuple):
    """What a file is: its name, the version this program writes, its tables and when it is synced."""

    name: str
    version: int
    schema: str
    synchronous: Literal["NORMAL", "FULL"] = "FULL"


def create(path: Path, kind: FileKind, fill: Callable[[sqlite3.Connection], None] = lambda _: None) -> None:
    """Make the file ``path`` with its tables and what ``fill`` writes; it appears complete and synced."""
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    connection = sqlite3.connect(made, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.executescript(f"BEGIN; CREATE TABLE meta(name TEXT PRIMARY KEY, value NOT NULL);{kind.schema}")
        connection.execute("INSERT INTO meta VALUES ('name', ?), ('version', ?)", (kind.name, kind.version))
        fill(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    publish(made, path)


def open_writer(path: Path, kind: FileKind) -> sqlite3.Connection:
    """A connection that writes; transactions are begun and ended by hand. ``Problem`` when it is not of ``kind``."""
    connection = _open(path, kind, "rw")
    connection.execute(f"PRAGMA synchronous={kind.synchronous}")
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if mode != "wal" or level != _LEVELS[kind.synchronous]:
        connection.close()
        raise Problem(str(path), f"cannot be written safely (journal_mode {mode}, synchronous {level})")
    return connection


def open_reader(path: Path, kind: FileKind) -> sqlite3.Connection:
    """A connection that only reads; ``FileNotFoundError`` when the file is not there (any more)."""
    return _open(path, kind, "ro")


def _open(path: Path, kind: FileKind, mode: str) -> sqlite3.Connection:
    if not path.exists():
        raise FileNotFoundError(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=WAIT_S,
    )
    try:
        _check(connection, path, kind)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, kind: FileKind) -> None:
    try:
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    except sqlite3.OperationalError as error:
        # Dropped between the look and the opening: SQLite says only that it cannot open it.
        if not path.exists():
            raise FileNotFoundError(path) from error
        raise Problem(str(path), f"is not a {kind.name} file ({error})") from error
    except sqlite3.DatabaseError as error:
        raise Problem(str(path), f"is not a {kind.name} file ({error})") from error
    if meta.get("name") != kind.name:
        raise Problem(str(path), f"is a {meta.get('name')!r} file, not a {kind.name} file")
    # Readers read N-1: a file of the version before is still understood.
    if meta.get("version") not in (kind.version, kind.version - 1):
        raise Problem(str(path), f"has version {meta.get('version')!r}; this program knows {kind.version}")
