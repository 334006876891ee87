"""Tallies: what partials of one base rule come to when they are added up, in any order, in bounded memory."""

from collections.abc import Iterable

import msgspec

from detection_rules.sketch import Distinct, Spread
from soc_model.correlation import EXACT_VALUES, SAMPLES, CorrelationType, Partial

#: About what one tally, one sample, one value and one sketch take of memory.
TALLY_BYTES, SAMPLE_BYTES, VALUE_BYTES, SKETCH_BYTES = 400, 170, 130, 4_400


class FrozenTally(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A tally as data."""

    count: int
    first: int
    last: int
    samples: list[tuple[int, str]]
    values: dict[str, int]
    sketch: bytes
    total: float
    numbers: int


class Tally:
    """Counts, times, earliest samples, values and sums of many partials; the order of adding changes nothing.

    Values are exact up to ``EXACT_VALUES`` and stand in a sketch from then on; ``sketch`` is None until then.
    """

    __slots__ = ("count", "first", "last", "numbers", "samples", "sketch", "total", "values")

    def __init__(self, first: int, last: int) -> None:
        self.count = 0
        self.first, self.last = first, last
        self.samples: list[tuple[int, str]] = []
        self.values: dict[str, int] = {}
        self.sketch: Distinct | Spread | None = None
        self.total, self.numbers = 0.0, 0

    def add_partial(self, one: Partial, kind: CorrelationType) -> None:
        """Take one more partial."""
        sketch = decode_sketch(one.sketch, kind) if one.sketch else None
        self._add_times(one.count, one.first, one.last, one.samples)
        self._add_values(one.values, sketch, kind)
        self.total += one.total
        self.numbers += one.numbers

    def add(self, other: "Tally", kind: CorrelationType) -> None:
        """Take all of another tally, which stays as it is."""
        self._add_times(other.count, other.first, other.last, other.samples)
        self._add_values(other.values, other.sketch, kind)
        self.total += other.total
        self.numbers += other.numbers

    def times(self) -> set[int]:
        """The event times that are known: those of the samples, the first and the last."""
        return {self.first, self.last, *(at for at, _ in self.samples)}

    def size_bytes(self) -> int:
        """About what it takes of memory."""
        sketch = SKETCH_BYTES if self.sketch is not None else 0
        return TALLY_BYTES + SAMPLE_BYTES * len(self.samples) + VALUE_BYTES * len(self.values) + sketch

    def freeze(self) -> FrozenTally:
        """The tally as data."""
        return FrozenTally(
            count=self.count,
            first=self.first,
            last=self.last,
            samples=self.samples,
            values=self.values,
            sketch=self.sketch.encode() if self.sketch is not None else b"",
            total=self.total,
            numbers=self.numbers,
        )

    @classmethod
    def thaw(cls, frozen: FrozenTally, kind: CorrelationType) -> "Tally":
        """The tally that was frozen."""
        tally = cls(frozen.first, frozen.last)
        tally.count, tally.samples, tally.values = frozen.count, list(frozen.samples), dict(frozen.values)
        tally.sketch = decode_sketch(frozen.sketch, kind) if frozen.sketch else None
        tally.total, tally.numbers = frozen.total, frozen.numbers
        return tally

    def _add_times(self, count: int, first: int, last: int, samples: list[tuple[int, str]]) -> None:
        self.count += count
        self.first, self.last = min(self.first, first), max(self.last, last)
        if samples and (len(self.samples) < SAMPLES or samples[0] < self.samples[-1]):
            self.samples = sorted({*self.samples, *samples})[:SAMPLES]

    def _add_values(self, values: dict[str, int], sketch: Distinct | Spread | None, kind: CorrelationType) -> None:
        if self.sketch is None:
            mine = self.values
            for value, n in values.items():
                mine[value] = mine.get(value, 0) + n
            if sketch is not None or len(mine) > EXACT_VALUES:
                self.sketch, self.values = sketch_of(mine, kind), {}
        else:
            add_to_sketch(self.sketch, values)
        if sketch is not None and self.sketch is not None:
            self.sketch.merge(sketch)  # type: ignore[arg-type]  # both are of the correlation's kind


Tallies = dict[str, Tally]


def number_of(value: str) -> float | None:
    """A counted value as a number, None where it is none."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def decode_sketch(data: bytes, kind: CorrelationType) -> Distinct | Spread:
    """The sketch of a partial or a tally: of texts for ``value_count``, of numbers otherwise."""
    return Distinct.decode(data) if kind is CorrelationType.VALUE_COUNT else Spread.decode(data)


def sketch_of(values: dict[str, int], kind: CorrelationType) -> Distinct | Spread:
    """A sketch of exact values."""
    sketch: Distinct | Spread = Distinct() if kind is CorrelationType.VALUE_COUNT else Spread()
    add_to_sketch(sketch, values)
    return sketch


def add_to_sketch(sketch: Distinct | Spread, values: dict[str, int]) -> None:
    """Put exact values into a sketch; of numbers only what is one."""
    if isinstance(sketch, Distinct):
        for value in values:
            sketch.add(value)
        return
    for value, n in values.items():
        if (number := number_of(value)) is not None:
            sketch.add(number, n)


def add_tallies(into: Tallies, part: Tallies, kind: CorrelationType) -> None:
    """Put the tallies of some rules into others."""
    for rule, tally in part.items():
        if rule not in into:
            into[rule] = Tally(tally.first, tally.last)
        into[rule].add(tally, kind)


def freeze_tallies(tallies: Tallies) -> dict[str, FrozenTally]:
    """Tallies as data."""
    return {rule: tally.freeze() for rule, tally in tallies.items()}


def thaw_tallies(frozen: dict[str, FrozenTally], kind: CorrelationType) -> Tallies:
    """The tallies that were frozen."""
    return {rule: Tally.thaw(one, kind) for rule, one in frozen.items()}


def merged_partials(partials: Iterable[Partial]) -> list[Partial]:
    """The same events in fewer partials: one for each correlation, rule, group and second, and each sketch apart."""
    found: dict[tuple[object, ...], Partial] = {}
    for one in partials:
        key = (one.correlation, one.rule, one.unit, one.realm, one.group, one.second)
        if one.sketch:
            found[len(found), one.sketch] = one
        elif key in found:
            found[key] = _merged(found[key], one)
        else:
            found[key] = one
    return list(found.values())


def _merged(one: Partial, two: Partial) -> Partial:
    values = dict(one.values)
    for value, n in two.values.items():
        values[value] = values.get(value, 0) + n
    return msgspec.structs.replace(
        one,
        count=one.count + two.count,
        first=min(one.first, two.first),
        last=max(one.last, two.last),
        samples=sorted({*one.samples, *two.samples})[:SAMPLES],
        values=values,
        total=one.total + two.total,
        numbers=one.numbers + two.numbers,
    )
