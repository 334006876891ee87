"""Columns of Python values as Parquet files: built by nanoarrow, written by DuckDB."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nanoarrow

from soc_store.packing import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ARROW = {
    "VARCHAR": nanoarrow.string,
    "BIGINT": nanoarrow.int64,
    "INTEGER": nanoarrow.int32,
    "BLOB": nanoarrow.binary,
}
_BITS = {"BIGINT": 63, "INTEGER": 31}


def write_parquet(
    connection: "DuckDBPyConnection", path: Path, types: Mapping[str, str], columns: Mapping[str, Sequence[Any]]
) -> None:
    """Write ``columns`` (lists of one length, by name) as the Parquet file ``path``; a column not there is null.

    A value that its type cannot hold is kept as text in text columns and becomes null in others.
    """
    built = {name: array(columns[name], types[name]) for name in types if name in columns}
    schema = nanoarrow.struct({name: _ARROW[types[name]]() for name in built})
    rows = len(next(iter(columns.values())))
    batch = nanoarrow.c_array_from_buffers(schema, rows, [None], children=list(built.values()))
    listed = ", ".join(quoted(name) if name in built else f"NULL::{types[name]} AS {quoted(name)}" for name in types)
    connection.register("built", batch)
    try:
        # The names are those of our own columns, never a user's.
        sql = f"COPY (SELECT {listed} FROM built) TO $path (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608
        connection.execute(sql, {"path": str(path)})
    finally:
        connection.unregister("built")


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def array(values: Sequence[Any], kind: str) -> Any:
    """``values`` as an Arrow array of the DuckDB type ``kind``."""
    arrow = _ARROW[kind]()
    try:
        return nanoarrow.c_array(values, arrow)
    except (ValueError, TypeError, OverflowError):
        return nanoarrow.c_array(list(fitted(values, kind)), arrow)


def fitted(values: Iterable[Any], kind: str) -> Iterable[Any]:
    """``values`` such that each fits ``kind``."""
    if kind == "VARCHAR":
        return (None if value is None else text(str(value)) for value in values)
    if kind == "BLOB":
        return (bytes(value) if isinstance(value, bytes | bytearray) else None for value in values)
    bound = 1 << _BITS[kind]
    return (value if isinstance(value, int) and -bound <= value < bound else None for value in values)
