"""Sketches: how many distinct texts there were, and how numbers spread, in a few kilobytes however many came.

Both are pure and deterministic, and merging is order-free: the sketches of many batches, merged in any order, equal the
sketch of all their values. A sketch that stands in a ``Partial`` covers every value of the partial, which then keeps
none of them exactly.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

REGISTERS = 4096  # standard error 1.04 / sqrt(4096) = 1.6 %
_INDEX_BITS = 12
_REST_BITS = 64 - _INDEX_BITS

ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
BINS = 2048  # of each sign: magnitudes over a factor of 6e17; smaller ones share the lowest bin
SMALLEST = 1e-12  # magnitudes below are zero
LARGEST = 1e300

_DISTINCT = b"D1"
_SPREAD = b"S1"


class Distinct:
    """An estimate of how many distinct texts were added (HyperLogLog with Ertl's estimator)."""

    __slots__ = ("_registers",)

    def __init__(self, registers: bytes | bytearray = bytes(REGISTERS)) -> None:
        self._registers = bytearray(registers)

    def add(self, text: str) -> None:
        """Take one text; one that came before changes nothing."""
        number = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        index = number >> _REST_BITS
        rank = _REST_BITS - (number & ((1 << _REST_BITS) - 1)).bit_length() + 1
        self._registers[index] = max(self._registers[index], rank)

    def merge(self, other: "Distinct") -> None:
        """Take all that the other took."""
        self._registers[:] = bytes(map(max, self._registers, other._registers))

    def estimate(self) -> int:
        """How many distinct texts there were, 1.6 % standard error."""
        counts = [0] * (_REST_BITS + 2)
        for rank in self._registers:
            counts[rank] += 1
        total = REGISTERS * _tau(1 - counts[_REST_BITS + 1] / REGISTERS)
        for rank in range(_REST_BITS, 0, -1):
            total = (total + counts[rank]) / 2
        total += REGISTERS * _sigma(counts[0] / REGISTERS)
        return round(REGISTERS**2 / (2 * math.log(2) * total)) if math.isfinite(total) else 0

    def encode(self) -> bytes:
        """The sketch as bytes; equal sketches give equal bytes."""
        return _DISTINCT + zlib.compress(self._registers, 1)

    @classmethod
    def decode(cls, data: bytes) -> "Distinct":
        """What was encoded; ``ValueError`` for anything else."""
        if not data.startswith(_DISTINCT):
            raise ValueError("not a sketch of distinct texts")
        try:
            registers = zlib.decompressobj().decompress(data[len(_DISTINCT) :], REGISTERS + 1)
        except zlib.error as error:
            raise ValueError(f"a damaged sketch of distinct texts: {error}") from error
        if len(registers) != REGISTERS or max(registers) > _REST_BITS + 1:
            raise ValueError("a damaged sketch of distinct texts")
        return cls(registers)


def _sigma(x: float) -> float:
    """Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), for registers never set."""
    if x == 1:
        return math.inf
    power, total, weight = x, x, 1.0
    while True:
        power *= power
        before, total = total, total + power * weight
        weight += weight
        if before == total:
            return total


def _tau(x: float) -> float:
    """The same paper, for registers that are full."""
    if x in (0, 1):
        return 0.0
    root, total, weight = x, 1 - x, 1.0
    while True:
        root = math.sqrt(root)
        before, weight = total, weight / 2
        total -= (1 - root) ** 2 * weight
        if before == total:
            return total / 3


class Spread:
    """How numbers spread: any quantile with 1 % relative error (bins of growing width, as in DDSketch)."""

    __slots__ = ("_negative", "_positive", "_zero")

    def __init__(self) -> None:
        self._zero = 0
        self._positive: dict[int, int] = {}
        self._negative: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many numbers there were."""
        return self._zero + sum(self._positive.values()) + sum(self._negative.values())

    def add(self, number: float, count: int = 1) -> None:
        """Take a number ``count`` times."""
        size = min(abs(number), LARGEST)
        if size < SMALLEST:
            self._zero += count
            return
        bins = self._positive if number > 0 else self._negative
        index = math.ceil(math.log(size) / _LOG_GAMMA)
        bins[index] = bins.get(index, 0) + count
        if len(bins) > BINS:
            _collapse(bins)

    def merge(self, other: "Spread") -> None:
        """Take all that the other took."""
        self._zero += other._zero
        for mine, theirs in ((self._positive, other._positive), (self._negative, other._negative)):
            for index, count in theirs.items():
                mine[index] = mine.get(index, 0) + count
            if len(mine) > BINS:
                _collapse(mine)

    def quantile(self, q: float) -> float | None:
        """The smallest value that at least the share ``q`` (0 to 1) of all do not exceed; None for no numbers."""
        return exact_quantile(dict(self._values()), q)

    def _values(self) -> Iterable[tuple[float, int]]:
        for sign, bins in ((-1, self._negative), (1, self._positive)):
            yield from ((sign * 2 * _GAMMA**index / (_GAMMA + 1), count) for index, count in bins.items())
        yield 0.0, self._zero

    def encode(self) -> bytes:
        """The sketch as bytes; equal sketches give equal bytes."""
        for bins in (self._positive, self._negative):
            _collapse(bins)
        parts = (self._zero, sorted(self._positive.items()), sorted(self._negative.items()))
        return _SPREAD + msgspec.msgpack.encode(parts)

    @classmethod
    def decode(cls, data: bytes) -> "Spread":
        """What was encoded; ``ValueError`` for anything else."""
        if not data.startswith(_SPREAD):
            raise ValueError("not a sketch of numbers")
        kind = tuple[int, list[tuple[int, int]], list[tuple[int, int]]]
        found = cls()
        found._zero, positive, negative = msgspec.msgpack.decode(data[len(_SPREAD) :], type=kind)
        found._positive, found._negative = dict(positive), dict(negative)
        return found


def _collapse(bins: dict[int, int]) -> None:
    """Put what is too small beside the largest into the lowest bin; the result does not depend on any order."""
    lowest = max(bins, default=0) - BINS + 1
    for index in [index for index in bins if index < lowest]:
        bins[lowest] = bins.get(lowest, 0) + bins.pop(index)


def exact_quantile(counts: Mapping[float, int], q: float) -> float | None:
    """The smallest value that at least the share ``q`` of all do not exceed (nearest rank); None for no values."""
    left = max(1, math.ceil(q * sum(counts.values()) - 1e-9))
    for value in sorted(value for value, count in counts.items() if count > 0):
        left -= counts[value]
        if left <= 0:
            return value
    return None
