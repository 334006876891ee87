"""Rules over events of the past, to know before activation what they would have found and what they cost.

Comes in: event groups with ids and times. Goes out: for each rule hits per day, samples and the seconds that deciding
took. Pure: the clock that measures cost is handed in. Nothing here becomes a finding, an alert or a count elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from detection_rules.engine import raw_text
from detection_rules.explain import explain
from detection_rules.snapshot import Snapshot
from soc_model.event import EventGroup

SAMPLES = 20  # of each rule: the first ones, which the reader goes through one by one
MICROSECONDS = 1_000_000


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One event that the rule fires on, and why."""

    event_id: str
    at: int
    source_id: str
    matched: dict[str, str]


class RuleHits(msgspec.Struct, kw_only=True):
    """What one rule finds: ``by_day`` counts hits by day of event time (UTC), ``by_source`` by source."""

    rule_id: str
    title: str
    hits: int = 0
    by_day: dict[str, int] = {}
    by_source: dict[str, int] = {}
    samples: list[Sample] = []


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest came to. ``cpu_s`` is for deciding alone, without reading and decoding the events.

    ``events`` were decided, ``unparsed`` of them by their text alone.
    """

    rules: list[RuleHits]
    events: int
    unparsed: int
    cpu_s: float

    @property
    def hits(self) -> int:
        """Hits of all rules together."""
        return sum(rule.hits for rule in self.rules)


class Backtest:
    """Rules on their way through the past."""

    def __init__(self, snapshot: Snapshot, cpu: Callable[[], float], *, values: bool = True) -> None:
        """``cpu`` tells the seconds of processor time used so far; without ``values`` samples do not say why."""
        self._snapshot, self._cpu, self._values = snapshot, cpu, values
        self._hits = [RuleHits(rule_id=rule.card.id, title=rule.card.title) for rule in snapshot.rules]
        self._days = [Counter[str]() for _ in snapshot.rules]
        self._sources = [Counter[str]() for _ in snapshot.rules]
        self._events = self._unparsed = 0
        self._spent = 0.0

    def add(self, group: EventGroup, event_ids: Sequence[str], times: Sequence[int], source_id: str) -> None:
        """Decide the events of one group; ids and times run parallel to it."""
        began = self._cpu()
        found = self._snapshot.engine.match(group)
        self._spent += self._cpu() - began
        self._events += len(group)
        self._unparsed += len(group.unparsed)
        for index, rules in enumerate(found):
            for number in rules:
                self._hit(number, group, index, event_ids[index], times[index], source_id)

    def report(self) -> Report:
        """What was found so far; rules in their own order, days in order, sources by number of hits."""
        for one, days, sources in zip(self._hits, self._days, self._sources, strict=True):
            one.by_day = dict(sorted(days.items()))
            one.by_source = dict(sources.most_common())
        return Report(rules=list(self._hits), events=self._events, unparsed=self._unparsed, cpu_s=self._spent)

    def _hit(self, number: int, group: EventGroup, index: int, event_id: str, at: int, source_id: str) -> None:  # noqa: PLR0917
        one = self._hits[number]
        one.hits += 1
        self._days[number][_day(at)] += 1
        self._sources[number][source_id] += 1
        if len(one.samples) < SAMPLES:
            matched = self._matched(number, group, index) if self._values else {}
            one.samples = [*one.samples, Sample(event_id=event_id, at=at, source_id=source_id, matched=matched)]

    def _matched(self, number: int, group: EventGroup, index: int) -> dict[str, str]:
        fields = {"raw": raw_text(group.raws[index])} if index in group.unparsed else group.fields[index]
        return explain(self._snapshot.engine, number, fields, group.type)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // MICROSECONDS, UTC).strftime("%Y-%m-%d")
