"""DuckDB, held to one folder, one gibibyte and two threads, or less.

It is loaded at the first use, because the serve process knows the words of the search and must not carry it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GiB"
THREADS = 2


def open_duckdb(folder: Path, *, memory: str = MEMORY, threads: int = THREADS) -> "DuckDBPyConnection":
    """A connection that sees files below ``folder`` only, loads no extension and cannot be set otherwise."""
    import duckdb  # noqa: PLC0415

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": memory,
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=settings)
    allowed = f"{folder.resolve()}/".replace("'", "''")
    # SET takes no parameters; the folder is the center's own setting.
    connection.execute(f"SET allowed_directories = ['{allowed}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
