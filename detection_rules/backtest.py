"""Rules over events of the past, to know before activation what they would have found and what they cost.

Comes in: located event groups. Goes out: for each rule hits per day, samples and the seconds that deciding took; of a
correlation its episodes, judged when all events are known, so that the order in which they are read does not matter.
Pure: the clock that measures cost is handed in. Nothing here becomes a finding, an alert or a count elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from detection_rules.correlator import Advance, Correlator
from detection_rules.event_values import fields_of
from detection_rules.explain import explain
from detection_rules.partials import Partials
from detection_rules.snapshot import Snapshot
from soc_model.correlation import Correlation, Partial
from soc_model.episode import Episode
from soc_model.event import Located
from soc_model.outcome import Outcome

SAMPLES = 20  # of each rule: the first ones, which the reader goes through one by one
MICROSECONDS = 1_000_000
NEVER_S = 400 * 86_400  # the grace of a backtest: nothing is judged before everything is read


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

    ``events`` were decided, ``unparsed`` of them by their text alone. ``evicted``: groups of correlations that were let
    go of for want of room, so that episodes may be missing.
    """

    rules: list[RuleHits]
    events: int
    unparsed: int
    cpu_s: float
    evicted: int = 0

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
        self._correlator = Correlator(grace_s=NEVER_S)
        self._episodes: dict[str, Episode] = {}
        self._events = self._unparsed = self._batches = 0
        self._spent = 0.0

    def add(self, located: Located) -> None:
        """Decide the events of one group."""
        group, bases, partials = located.group, self._snapshot.contributions, Partials(self._snapshot)
        began = self._cpu()
        found = self._snapshot.engine.match(group)
        takers = partials.takers(located)
        for index, rules in enumerate(found):
            for number in rules:
                for taker in takers[number] if number in bases else ():
                    taker.take(index)
        self._spent += self._cpu() - began
        self._events += len(group)
        self._unparsed += len(group.unparsed)
        for index, rules in enumerate(found):
            for number in rules:
                self._hit(number, located, index)
        if correlations := partials.correlations():
            self._correlate(located, partials.partials(), correlations)

    def report(self) -> Report:
        """What was found; correlations are judged now. Rules in their own order, days in order, sources by hits."""
        self._apply(self._correlator.passing(0, finish=True))
        for one, days, sources in zip(self._hits, self._days, self._sources, strict=True):
            one.by_day = dict(sorted(days.items()))
            one.by_source = dict(sources.most_common())
        return Report(
            rules=[*self._hits, *self._correlated()],
            events=self._events,
            unparsed=self._unparsed,
            cpu_s=self._spent,
            evicted=self._correlator.evicted,
        )

    def _correlate(self, located: Located, partials: list[Partial], correlations: dict[str, Correlation]) -> None:
        self._batches += 1
        known = self._snapshot.cards
        named = {base for one in correlations.values() for base in one.rules if base in known}.union(correlations)
        outcome = Outcome(
            offset=self._batches,
            received=located.received,
            snapshot=self._snapshot.id,
            findings=[],
            cards={rule_id: known[rule_id] for rule_id in named},
            stats=[],
            blocks=[],
            partials=partials,
            correlations=correlations,
        )
        self._apply(self._correlator.gather([outcome]))

    def _apply(self, advance: Advance) -> None:
        changes = self._correlator.apply(advance)
        self._episodes.update((episode.finding_id, episode) for episode in changes.episodes)
        for gone in changes.gone:
            self._episodes.pop(gone, None)

    def _correlated(self) -> Iterator[RuleHits]:
        """Of each correlation its episodes, counted at their beginning."""
        for rule_id in self._snapshot.correlations:
            ours = (one for one in self._episodes.values() if one.rule_id == rule_id)
            found = sorted(ours, key=lambda one: one.start)
            yield RuleHits(
                rule_id=rule_id,
                title=self._snapshot.cards[rule_id].title,
                hits=len(found),
                by_day=dict(sorted(Counter(_day(one.start) for one in found).items())),
                by_source=dict(Counter(one.source_id for one in found).most_common()),
                samples=[self._sample(one) for one in found[:SAMPLES]],
            )

    def _sample(self, one: Episode) -> Sample:
        matched = {**one.group, **one.finding().matched} if self._values else {}
        return Sample(event_id=one.example, at=one.start, source_id=one.source_id, matched=matched)

    def _hit(self, number: int, located: Located, index: int) -> None:
        one, event_id, at = self._hits[number], located.event_ids[index], located.at[index]
        source_id = located.source.id
        one.hits += 1
        self._days[number][_day(at)] += 1
        self._sources[number][source_id] += 1
        if len(one.samples) < SAMPLES:
            matched = self._matched(number, located, index) if self._values else {}
            one.samples = [*one.samples, Sample(event_id=event_id, at=at, source_id=source_id, matched=matched)]

    def _matched(self, number: int, located: Located, index: int) -> dict[str, str]:
        return explain(self._snapshot.engine, number, fields_of(located, index), located.group.type)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // MICROSECONDS, UTC).strftime("%Y-%m-%d")
