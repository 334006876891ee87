"""The newest rows of many, page by page: a bounded selection by key, and the cursor that goes on after it.

Keys need not be unique (one record may hold events that cannot be told apart), so a cursor also says how many rows of
its key were shown.
"""

import heapq
from collections.abc import Iterable
from typing import Any

from soc_model.problem import Problem
from soc_store.keyset import decode_cursor, encode_cursor

Key = tuple[Any, ...]
MAX_ROWS = 10_000


class Newest:
    """The ``limit`` rows of the highest keys at or below the cursor's; ``width`` is the length of a key."""

    def __init__(self, limit: int, cursor: str | None, first: Key) -> None:
        if not 1 <= limit <= MAX_ROWS:
            raise Problem("limit", f"is not between 1 and {MAX_ROWS}")
        self.after: Key | None = None
        self._shown = 0
        if cursor is not None:
            self.after, self._shown = _read(cursor, first)
        self._limit = limit
        self.wanted = limit + self._shown + 1
        self._rows: list[tuple[Key, Any]] = []

    def add(self, rows: Iterable[tuple[Key, Any]]) -> None:
        """Take rows into account."""
        self._rows = heapq.nlargest(self.wanted, [*self._rows, *rows], key=_key)

    def takes(self, key: Key) -> bool:
        """Whether a row of ``key`` is not before the cursor."""
        return self.after is None or key <= self.after

    def needs(self, time: int) -> bool:
        """Whether a row of event time ``time`` may still be among them."""
        return len(self._rows) < self.wanted or time >= self._rows[-1][0][0]

    def page(self) -> tuple[list[Any], str | None]:
        """The rows, and the cursor for those after, if there are any."""
        rest = self._rows[self._shown :]
        rows = rest[: self._limit]
        if len(rest) <= self._limit:
            return [row for _, row in rows], None
        last = rows[-1][0]
        shown = sum(key == last for key, _ in rows) + (self._shown if last == self.after else 0)
        return [row for _, row in rows], encode_cursor([*last, shown])


def _key(pair: tuple[Key, Any]) -> Key:
    return pair[0]


def _read(cursor: str, first: Key) -> tuple[Key, int]:
    """The key and the number of rows in ``cursor``; its parts must be of the types of ``first``."""
    *values, shown = decode_cursor(cursor) or [""]
    fits = [type(value) for value in values] == [type(value) for value in first]
    if not fits or not isinstance(shown, int) or not 0 <= shown <= MAX_ROWS:
        raise Problem("cursor", "is not one that this list gave")
    return tuple(values), shown
