"""Value -> class, each distinct value matched once; bounded, because whoever writes the log chooses the values.

A ``ValueClasses`` is a dict whose ``__missing__`` does the slow work, so that a hit never leaves C. All caches of an
engine share one ``Budget``; when it is spent all of them begin anew, which costs each value in use one more match.
"""

from collections.abc import Callable, Hashable
from sys import getsizeof
from typing import Any

from detection_rules.predicate import ABSENT

ENTRY_BYTES = 120
LONGEST_CACHED = 4096  # longer texts hardly ever come again


class Budget:
    """Bytes that a set of caches may hold together, how often that was too little, and how many entries that cost."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.clears = 0
        self.evicted = 0
        self._entries = 0
        self._caches: dict[Callable[[], None], None] = {}

    def share(self, clear: Callable[[], None]) -> None:
        """Let a cache in; ``clear`` empties it."""
        self._caches[clear] = None

    def leave(self, clear: Callable[[], None]) -> None:
        """Let a cache go."""
        self._caches.pop(clear, None)

    def spend(self, size_bytes: int) -> None:
        """Account for an entry about to be kept; empties every cache when the limit is passed."""
        self.used_bytes += size_bytes
        self._entries += 1
        if self.used_bytes > self.limit_bytes:
            for clear in self._caches:
                clear()
            self.used_bytes = size_bytes
            self.clears += 1
            self.evicted += self._entries - 1
            self._entries = 1


class ValueClasses(dict[Any, frozenset[int]]):
    """The classes of one column's values; ``classify`` is asked for those not known yet.

    1 and true are one key to a dict but two texts to a rule, so what equals 0 or 1 is kept by its type too.
    """

    def __init__(self, classify: Callable[[Any], frozenset[int]], budget: Budget) -> None:
        super().__init__()
        self._classify = classify
        self._budget = budget
        self._numbers: dict[Hashable, frozenset[int]] = {}
        self.misses = 0
        budget.share(self.forget)

    def forget(self) -> None:
        """Empty the cache."""
        self.clear()
        self._numbers.clear()

    def __missing__(self, value: Any) -> frozenset[int]:
        if isinstance(value, bool | int | float):
            return self._number(value)
        self.misses += 1
        found = self._classify(value)
        size = _cached_bytes(value)
        if size:
            self._budget.spend(size)
            self[value] = found
        return found

    def _number(self, value: float) -> frozenset[int]:
        key = (type(value), value)
        found = self._numbers.get(key)
        if found is None:
            self.misses += 1
            found = self._classify(value)
            self._budget.spend(2 * ENTRY_BYTES)
            if value in (0, 1):
                self._numbers[key] = found
            else:
                self[value] = found
        return found


def _cached_bytes(value: Any) -> int:
    """What keeping the value costs; 0 for what is not worth it or would be taken for something else."""
    if isinstance(value, str):
        return getsizeof(value) + ENTRY_BYTES if len(value) <= LONGEST_CACHED else 0
    if value is None or value is ABSENT:
        return ENTRY_BYTES
    if isinstance(value, tuple):
        sizes = list(map(_cached_bytes, value))
        return sum(sizes) + ENTRY_BYTES if all(sizes) else 0
    return 0


def hashable(value: Any) -> Any:
    """The value as a dict can take it: lists become tuples, and what no format should give becomes its text."""
    if isinstance(value, list | tuple):
        return tuple(map(hashable, value))
    return str(value) if isinstance(value, dict | set | bytearray) else value
