"""Value -> class, each distinct value matched once; bounded, because whoever writes the log chooses the values.

A ``ValueClasses`` is a dict whose ``__missing__`` does the slow work, so that a hit never leaves C. All caches of an
engine share one ``Budget``: when half of it is spent each of them becomes the *old* generation, and what was old
is dropped. What is still in use is taken over when it is next met, so values that come once push out only each other;
a long one is not even kept before it has come twice.
"""

from collections.abc import Callable, Hashable
from sys import getsizeof
from typing import Any, Generic, TypeVar

from detection_rules.predicate import ABSENT

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY_BYTES = 120
LONGEST_CACHED = 32_768  # longer texts are not worth their room
FLOOD = 16  # values of a group from which it says anything that nearly all are new
LONG = 256  # characters from which a text is kept only when it comes the second time
TEXT_BYTES = ENTRY_BYTES + 100  # of a short text's entry
KEPT_OF_FLOOD = 8
NUMBERS = frozenset({bool, int, float})


class Budget:
    """Bytes that a set of caches may hold together, how often that was too little, and how many entries that cost."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.clears = 0
        self.evicted = 0
        self._bytes = [0, 0]  # of the generation in use, and of the old one
        self._entries = [0, 0]
        self._caches: dict[Callable[[], None], None] = {}

    @property
    def used_bytes(self) -> int:
        """What all caches hold."""
        return sum(self._bytes)

    def share(self, age: Callable[[], None]) -> None:
        """Let a cache in; ``age`` drops its old generation and makes an old one of what is in use."""
        self._caches[age] = None

    def leave(self, age: Callable[[], None]) -> None:
        """Let a cache go."""
        self._caches.pop(age, None)

    def spend(self, size_bytes: int) -> None:
        """Account for an entry about to be kept; ages every cache when half of the limit is passed."""
        self._bytes[0] += size_bytes
        self._entries[0] += 1
        if self._bytes[0] > self.limit_bytes // 2:
            for age in self._caches:
                age()
            self.evicted += self._entries[1]
            self._bytes = [size_bytes, self._bytes[0] - size_bytes]
            self._entries = [1, self._entries[0] - 1]
            self.clears += 1


class Generations(dict[K, V], Generic[K, V]):
    """A dict of two generations: what is not in it may still be in ``old``."""

    def __init__(self) -> None:
        super().__init__()
        self.old: dict[K, V] = {}

    def age(self) -> None:
        """Drop the old generation; what is in use becomes it."""
        self.old = dict(self)
        self.clear()


class ValueClasses(Generations[Any, frozenset[int]]):
    """The classes of one column's values; ``classify`` is asked for those not known yet.

    1 and true are one key to a dict but two texts to a rule, so what equals 0 or 1 is kept by its type too, unless the
    rules tell none of these apart.
    """

    def __init__(self, classify: Callable[[Any], frozenset[int]], budget: Budget) -> None:
        super().__init__()
        self._classify = classify
        self._budget = budget
        self._numbers: dict[Hashable, frozenset[int]] = {}
        self._once: set[Any] = set()  # hashes of long texts that have come once
        self.misses = 0
        self.flooded = False  # nearly all values of late were new: only one of ``KEPT_OF_FLOOD`` is kept
        budget.share(self.age)

    def age(self) -> None:
        super().age()
        self._numbers.clear()
        self._once.clear()

    def __missing__(self, value: Any) -> frozenset[int]:
        is_text = type(value) is str
        if not is_text and type(value) in NUMBERS:
            return self._number(value)
        is_long = is_text and len(value) >= LONG
        if self.flooded and not is_long and hash(value) % KEPT_OF_FLOOD:
            self.misses += 1
            return self._classify(value)
        found = self.old.pop(value, None) if self.old else None
        if found is None:
            self.misses += 1
            found = self._classify(value)
            if is_long and self._comes_first(value):
                return found
        size = len(value) + TEXT_BYTES if is_text and not is_long else _cached_bytes(value)
        if size:
            self._budget.spend(size)
            self[value] = found
        return found

    def of(self, values: list[Any]) -> list[frozenset[int]]:
        """The class of each value; notes whether nearly all of them were new."""
        before = self.misses
        found = list(map(self.__getitem__, values))
        self.flooded = len(values) >= FLOOD and (self.misses - before) * 10 > len(values) * 9
        return found

    def _comes_first(self, value: str) -> bool:
        """Whether a long text is met for the first time, as far as is remembered."""
        mark = hash(value)
        if mark in self._once:
            return False
        if len(value) <= LONGEST_CACHED:
            self._budget.spend(ENTRY_BYTES // 2)
            self._once.add(mark)
        return True

    def _number(self, value: float) -> frozenset[int]:
        key = (type(value), value)
        found = self._numbers.get(key)
        if found is None:
            self.misses += 1
            found = self._classify(value)
            self._budget.spend(2 * ENTRY_BYTES)
            if value in (0, 1) and any(self._classify(kind(value)) != found for kind in (bool, int, float)):
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
