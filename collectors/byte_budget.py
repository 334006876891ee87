"""Bytes that all who share a budget may hold together, so that many small promises do not become much memory."""

from collections.abc import Iterator
from contextlib import contextmanager


class NoRoom(Exception):
    """The budget is spent: give back, or come again later."""


class Share:
    """What one holder took of a budget."""

    def __init__(self, budget: "ByteBudget") -> None:
        self._budget = budget
        self.held_bytes = 0

    def grow_to(self, size_bytes: int) -> None:
        """Hold at least ``size_bytes``; ``NoRoom`` when they are not to be had, and nothing more is held."""
        more = max(0, size_bytes - self.held_bytes)
        if self._budget.used_bytes + more > self._budget.cap_bytes:
            raise NoRoom
        self._budget.used_bytes += more
        self.held_bytes += more


class ByteBudget:
    """At most ``cap_bytes`` are held at any time; for one event loop."""

    def __init__(self, cap_bytes: int) -> None:
        self.cap_bytes = cap_bytes
        self.used_bytes = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """A share that is given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.used_bytes -= share.held_bytes
