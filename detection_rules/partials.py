"""The events that fire base rules, folded into partials for each correlation, group and second of event time.

An event takes part in a correlation if it has every field that it groups by and counts. Distinct values are kept as
they are up to ``EXACT_VALUES`` in one partial; from then on its sketch covers all of them and ``values`` is empty. For
percentiles the values are numbers, and what is no number takes no part; so with sums and averages.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from detection_rules.column_matcher import number_of
from detection_rules.contribution import Contribution
from detection_rules.event_values import ENTITIES, fields_of, header_of, present, short_text
from detection_rules.predicate import elements, text_of
from detection_rules.sketch import Distinct, Spread
from detection_rules.snapshot import Snapshot
from soc_model.correlation import EXACT_VALUES, SAMPLES, Correlation, CorrelationType, Partial
from soc_model.event import HEADER, Located
from soc_model.layer import Layer, Realm

SECOND_US = 1_000_000

_NUMBERS = {
    CorrelationType.VALUE_SUM,
    CorrelationType.VALUE_AVG,
    CorrelationType.VALUE_PERCENTILE,
    CorrelationType.VALUE_MEDIAN,
}
_SPREADS = {CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN}

Side: TypeAlias = tuple[Layer, str, Realm, str]  # layer, unit, realm, source id
Sums: TypeAlias = dict[tuple[tuple[str, ...], int], "Sum"]
Read: TypeAlias = Callable[[int], Any]  # index of an event -> its value, None for none


class Sum:
    """One partial in the making."""

    __slots__ = ("count", "entities", "first", "last", "latest", "numbers", "samples", "sketch", "total", "values")

    def __init__(self, at: int, entities: dict[str, str]) -> None:
        self.count = self.numbers = 0
        self.first = self.last = at
        self.entities = entities
        self.samples: list[tuple[int, str]] = []
        self.latest: tuple[int, str] = (at, "")
        self.values: dict[str, int] = {}
        self.sketch: Distinct | Spread | None = None
        self.total = 0.0

    def add(self, at: int, event_id: str) -> None:
        """Take one event; of the samples the earliest stay."""
        self.count += 1
        self.first = min(self.first, at)
        self.last = max(self.last, at)
        if len(self.samples) < SAMPLES:
            self.samples.append((at, event_id))
            self.latest = max(self.samples)
        elif (at, event_id) < self.latest:
            self.samples[self.samples.index(self.latest)] = (at, event_id)
            self.latest = max(self.samples)

    def add_text(self, text: str) -> None:
        """Take one value to be counted."""
        if isinstance(self.sketch, Distinct):
            self.sketch.add(text)
            return
        self.values[text] = self.values.get(text, 0) + 1
        if len(self.values) > EXACT_VALUES:
            self.sketch = Distinct()
            for value in self.values:
                self.sketch.add(value)
            self.values = {}

    def add_number(self, number: float, *, spread: bool) -> None:
        """Take one number to be reckoned with; its ``spread`` matters for percentiles only."""
        self.total += number
        self.numbers += 1
        if isinstance(self.sketch, Spread):
            self.sketch.add(number)
        elif spread:
            text = text_of(number)
            self.values[text] = self.values.get(text, 0) + 1
            if len(self.values) > EXACT_VALUES:
                self.sketch = Spread()
                for value, count in self.values.items():
                    self.sketch.add(float(value), count)
                self.values = {}


class Partials:
    """The partials of one batch."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._sums: dict[tuple[str, str, Side], tuple[Contribution, Sums]] = {}

    def takers(self, located: Located) -> "Takers":
        """What takes the events of one group, by the number of the rule that fired."""
        return Takers(self._snapshot.contributions, located, self._sums)

    def partials(self) -> list[Partial]:
        """All of them, in the order in which their first event came."""
        return [
            _partial(base, side, group, second, found)
            for (_, _, side), (base, sums) in self._sums.items()
            for (group, second), found in sums.items()
        ]

    def correlations(self) -> dict[str, Correlation]:
        """The correlations that the partials belong to and all that build on them."""
        touched = {base.correlation.id for base, sums in self._sums.values() if sums}
        ids = sorted({up for one in touched for up in self._snapshot.above[one]})
        return {one: self._snapshot.correlations[one] for one in ids}


class Takers(dict[int, list["Taker"]]):
    """The takers of a rule's events in one group, made when it first fires there."""

    def __init__(
        self,
        bases: dict[int, tuple[Contribution, ...]],
        located: Located,
        sums: dict[tuple[str, str, Side], tuple[Contribution, Sums]],
    ) -> None:
        super().__init__()
        self._bases, self._located, self._sums = bases, located, sums

    def __missing__(self, number: int) -> list["Taker"]:
        source = self._located.source
        side = (source.layer, source.unit, source.realm, source.id)
        made = self[number] = [
            Taker(base, self._located, self._sums.setdefault((base.correlation.id, base.rule, side), (base, {}))[1])
            for base in self._bases.get(number, ())
        ]
        return made


class Taker:
    """Takes the events of one group that fire one base rule, for one correlation."""

    __slots__ = ("_at", "_count", "_event_ids", "_fields", "_group", "_located", "_sums")

    def __init__(self, base: Contribution, located: Located, sums: Sums) -> None:
        self._located, self._sums = located, sums
        self._at, self._event_ids = located.at, located.event_ids
        self._group = [_reader(names, located) for names in base.group]
        self._fields = [_reader(names, located) for names in base.fields]
        self._count = _counter(base.correlation)

    def take(self, index: int) -> None:
        """Take one event, unless it lacks something."""
        group = tuple([short_text(read(index)) for read in self._group])
        if "" in group:
            return
        values = [read(index) for read in self._fields]
        at = self._at[index]
        key = (group, at // SECOND_US)
        found = self._sums.get(key)
        if found is None:
            found = Sum(at, {})
            if not self._count(found, values):
                return
            found.entities = present(ENTITIES, header_of(self._located, index))
            self._sums[key] = found
        elif not self._count(found, values):
            return
        found.add(at, self._event_ids[index])


def _counter(correlation: Correlation) -> Callable[[Sum, list[Any]], bool]:
    """How the values of an event are counted; it says whether the event takes part."""
    if not correlation.fields:
        return _plain
    if correlation.type not in _NUMBERS:
        return _texts
    return _spread_numbers if correlation.type in _SPREADS else _numbers


def _reader(names: Sequence[str], located: Located) -> Read:
    group = located.group
    if names[0] in HEADER:
        column = group.header.get(names[0])
        return column.__getitem__ if column is not None else _nothing
    if len(names) == 1 and not group.unparsed:
        fields, name = group.fields, names[0]
        return lambda index: fields[index].get(name)
    return lambda index: _first(fields_of(located, index), names)


def _nothing(index: int) -> None:
    return None


def _first(fields: dict[str, Any], names: Sequence[str]) -> Any:
    return next((value for name in names if short_text(value := fields.get(name))), None)


def _plain(into: Sum, values: list[Any]) -> bool:
    return True


def _texts(into: Sum, values: list[Any]) -> bool:
    texts = list(map(short_text, values))
    if "" in texts:
        return False
    into.add_text("\0".join(texts))
    return True


def _numbers(into: Sum, values: list[Any], *, spread: bool = False) -> bool:
    found = [number for value in elements(values[0]) if (number := _float(value)) is not None]
    for number in found:
        into.add_number(number, spread=spread)
    return bool(found)


def _float(value: Any) -> float | None:
    number = number_of(value)
    try:
        return None if number is None else float(number)
    except OverflowError:  # an integer beyond what a float holds
        return None


def _spread_numbers(into: Sum, values: list[Any]) -> bool:
    return _numbers(into, values, spread=True)


def _partial(base: Contribution, side: Side, group: tuple[str, ...], second: int, found: Sum) -> Partial:
    layer, unit, realm, source_id = side
    return Partial(
        correlation=base.correlation.id,
        rule=base.rule,
        layer=layer,
        unit=unit,
        realm=realm,
        source_id=source_id,
        group=group,
        second=second,
        count=found.count,
        first=found.first,
        last=found.last,
        samples=sorted(found.samples),
        entities=found.entities,
        values=found.values,
        sketch=found.sketch.encode() if found.sketch is not None else b"",
        total=found.total,
        numbers=found.numbers,
    )
