"""Every rule document with what detection does with it: written by detection, read by the console, no rule is loaded.

One SQLite file that is replaced whole. The one thing to know: a reader keeps the short entries of one file in memory
(some hundred bytes a rule) and reads a rule's text only when it is asked for.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from soc_model.problem import Problem
from soc_model.rule_entry import CatalogueHead, RuleEntry, RuleWhole
from soc_store.packing import jsoned, text
from soc_store.zstd import compress, decompress

NAME, VERSION = "fengsui-rule-catalogue", "1"
_TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rule(id TEXT PRIMARY KEY, entry TEXT NOT NULL, whole BLOB NOT NULL);
"""


def make_catalogue(made: Path, head: CatalogueHead, rules: Iterable[RuleWhole]) -> None:
    """Write a catalogue to the file ``made``, which no reader knows yet; ids must differ."""
    made.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(made)) as connection:
        connection.executescript(_TABLES)
        meta = {"name": NAME, "version": VERSION, "head": jsoned(head)}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.executemany("INSERT INTO rule VALUES (?, ?, ?)", (_row(each) for each in rules))
        connection.commit()
    made.chmod(0o600)


def give_head(made: Path, head: CatalogueHead) -> None:
    """Let a catalogue that no reader knows yet say this of itself."""
    with contextlib.closing(sqlite3.connect(made)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'head'", (jsoned(head),))
        connection.commit()


def _row(rule: RuleWhole) -> tuple[str, str, bytes]:
    return text(rule.entry.id), jsoned(rule.entry), compress(jsoned(rule).encode(), 3)


class RuleCatalogue:
    """Reads the catalogue at ``path``, and follows when it is replaced; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int], CatalogueHead | None, list[RuleEntry]] = ((0, 0), None, [])

    def head(self) -> CatalogueHead | None:
        """What the catalogue was made of; None before there is one."""
        return self._look()[0]

    def entries(self) -> Sequence[RuleEntry]:
        """Every rule document, in reading order."""
        return self._look()[1]

    def whole(self, rule_id: str) -> RuleWhole | None:
        """One rule with its text; None when there is none of that id."""
        if not self._path.exists():
            return None
        with contextlib.closing(self._open()) as connection:
            row = connection.execute("SELECT whole FROM rule WHERE id = ?", (text(rule_id),)).fetchone()
        return None if row is None else msgspec.json.decode(decompress(row[0]), type=RuleWhole)

    def _look(self) -> tuple[CatalogueHead | None, list[RuleEntry]]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None, []
        seen = (found.st_ino, found.st_mtime_ns)
        if self._read[0] != seen:
            with contextlib.closing(self._open()) as connection:
                meta = dict(connection.execute("SELECT name, value FROM meta"))
                rows = connection.execute("SELECT entry FROM rule ORDER BY rowid").fetchall()
            head = msgspec.json.decode(meta["head"], type=CatalogueHead)
            self._read = (seen, head, [msgspec.json.decode(row[0], type=RuleEntry) for row in rows])
        return self._read[1:]

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            meta = dict(connection.execute("SELECT name, value FROM meta"))
            if (meta.get("name"), meta.get("version")) != (NAME, VERSION):
                raise Problem(str(self._path), f"is no {NAME} of version {VERSION}")
        except sqlite3.Error as error:
            connection.close()
            raise Problem(str(self._path), f"cannot be read: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection
