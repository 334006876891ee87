"""The connection to the state database: SQLite in WAL mode, synced at each commit, with writers that take turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

WAIT_MS = 10_000
_BEGIN = "begin"


def open_engine(url: str) -> Engine:
    """An engine on ``url`` whose transactions begin as reads, or as ``writing`` says."""
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction, begun IMMEDIATE, so that it never fails half-way for a lock another writer holds."""
    with engine.connect().execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}) as connection, connection.begin():
        yield connection


def _prepare(connection: Any, _record: object) -> None:
    # The driver's own way of beginning transactions is switched off; ``_begin`` does it.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={WAIT_MS}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # 16 MiB: the covering indexes of 1,000,000 alerts are about 50 MB each.
    connection.execute("PRAGMA cache_size=-16384")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
