"""The correlator: partials of many batches in, episodes of correlation rules (关联分析) and their alerts out.

Comes in: outcomes in the order of their offsets, and the clock. Goes out: what changed, as values. The one thing to
know: everything it holds follows from the *advances* applied so far, so one frozen copy and the advances since rebuild
it exactly; within the grace the order in which events arrive changes no episode.

Time is event time. The *clock* is the newest time received; it only closes what waits. A second is closed when its
group has events more than ``grace_s`` later, or when the clock is that much later and the group has been quiet for as
long. What only grows fires at once and needs no closing. Correlations that build on others get their spells as events
once the beginning of these is closed, at the last base event of the second in which the condition first held, and
allow three times the grace for it. Late events beyond the grace still count wherever the windows are still kept.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from detection_rules.correlation_figure import figure_of
from detection_rules.correlation_firing import firing_of
from detection_rules.correlation_rules import DEEPEST, CorrelationRules
from detection_rules.correlation_tally import merged_partials
from detection_rules.correlation_window import SECOND_US, FrozenWindows, Spell, Windows
from soc_model.alert import AlertDelta
from soc_model.correlation import SAMPLES, Correlation, Partial
from soc_model.episode import Episode, Sample
from soc_model.finding import RuleCard, alert_key, finding_id
from soc_model.layer import Realm
from soc_model.outcome import Outcome

GRACE_S = 10
LIMIT_BYTES = 64 << 20
VERSION = 1

Key = tuple[str, str, Realm, tuple[str, ...]]


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """What one step takes in: the partials of the outcomes in (``after``, ``offset``], added up where they can be.

    ``rules`` and ``cards`` stand in it where they are new. ``finish`` closes everything, as if no event ever came.
    """

    after: int
    offset: int
    clock_us: int
    rules: dict[str, Correlation] = {}
    cards: dict[str, RuleCard] = {}
    snapshot: str = ""
    partials: list[Partial] = []
    finish: bool = False


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What one step changed: episodes as they are now, finding ids that became part of others, what alerts gain.

    ``began``: the rule ids of the episodes that are new. ``kept`` is false when nothing in the correlator changed, so
    that the advance need not be remembered.
    """

    episodes: list[Episode]
    gone: list[str]
    deltas: list[AlertDelta]
    began: list[str]
    kept: bool


class FrozenCorrelator(msgspec.Struct, frozen=True, kw_only=True):
    """A correlator as data; groups by correlation, least recently touched first."""

    version: int
    grace_s: int
    offset: int
    clock_us: int
    snapshot: str
    rules: dict[str, Correlation]
    cards: dict[str, RuleCard]
    evicted: int
    late: int
    groups: list[tuple[str, FrozenWindows]]


class Correlator:
    """Windows of all groups, in at most ``limit_bytes``: those least recently touched go first, counted in ``evicted``.

    ``late``: events that came after their window was closed and judged, and counted nowhere. Not for two threads.
    """

    def __init__(self, *, grace_s: int = GRACE_S, limit_bytes: int = LIMIT_BYTES) -> None:
        self.grace_s, self.limit_bytes = grace_s, limit_bytes
        self.rules = CorrelationRules({}, {})
        self.evicted = self.late = self.size_bytes = 0
        self.offset = 0
        self._clock_us = 0
        self._snapshot = ""
        self._groups: OrderedDict[Key, Windows] = OrderedDict()
        self._queue: list[tuple[int, Key]] = []

    @property
    def groups(self) -> int:
        """How many groups it holds windows of."""
        return len(self._groups)

    def gather(self, outcomes: Sequence[Outcome], *, after: int | None = None) -> Advance:
        """What these outcomes bring; those at or below the offset already taken (or ``after``) bring nothing."""
        begin = self.offset if after is None else after
        new = [one for one in outcomes if one.offset > begin]
        told = [one for one in new if one.correlations]
        changed = [one for one in told if one.snapshot != self._snapshot or self.rules.lacks(one.correlations)]
        return Advance(
            after=begin,
            offset=max((one.offset for one in new), default=begin),
            clock_us=max([self._clock_us, *(one.received for one in new)]),
            rules={rule_id: rule for one in changed for rule_id, rule in one.correlations.items()},
            cards={rule_id: card for one in changed for rule_id, card in one.cards.items()},
            snapshot=told[-1].snapshot if told else "",
            partials=merged_partials(partial for one in new for partial in one.partials),
        )

    def passing(self, now_us: int, *, finish: bool = False) -> Advance:
        """Time going by while no outcome waits."""
        return Advance(after=self.offset, offset=self.offset, clock_us=max(self._clock_us, now_us), finish=finish)

    def is_due(self, now_us: int) -> bool:
        """Whether something is to be closed by that time."""
        return bool(self._queue) and self._queue[0][0] <= now_us // SECOND_US

    def apply(self, advance: Advance) -> Changes:
        """Take a step; the same steps from the same beginning come to the same."""
        self.offset, self._clock_us = max(self.offset, advance.offset), max(self._clock_us, advance.clock_us)
        if advance.rules:
            self._learn(advance)
        step = _Step(self, advance)
        step.take(advance.partials)
        step.close_due()
        if advance.finish:
            step.finish()
        changes = step.changes()
        self._evict()
        return changes

    def freeze(self) -> FrozenCorrelator:
        """Everything it holds, as data."""
        return FrozenCorrelator(
            version=VERSION,
            grace_s=self.grace_s,
            offset=self.offset,
            clock_us=self._clock_us,
            snapshot=self._snapshot,
            rules=self.rules.rules,
            cards=self.rules.cards,
            evicted=self.evicted,
            late=self.late,
            groups=[(key[0], windows.freeze()) for key, windows in self._groups.items()],
        )

    @classmethod
    def thaw(cls, frozen: FrozenCorrelator, *, limit_bytes: int = LIMIT_BYTES) -> "Correlator":
        """The correlator that was frozen; of another version, an empty one at the same offset."""
        found = cls(grace_s=frozen.grace_s, limit_bytes=limit_bytes)
        found.offset, found._clock_us = frozen.offset, frozen.clock_us
        if frozen.version != VERSION:
            return found
        found._snapshot = frozen.snapshot
        found.rules = CorrelationRules(frozen.rules, frozen.cards)
        found.evicted, found.late = frozen.evicted, frozen.late
        for rule_id, one in frozen.groups:
            key = (rule_id, one.unit, one.realm, one.group)
            windows = Windows.thaw(one, found.rules.rules[rule_id], found.rules.grace_s(rule_id, found.grace_s))
            found._groups[key] = windows
            found.size_bytes += windows.measure()
            found._enqueue(key, windows)
        return found

    def _learn(self, advance: Advance) -> None:
        """Take rules that are new; windows of those that changed or are no more begin anew."""
        before = self.rules
        self._snapshot = advance.snapshot
        self.rules = before.with_rules(advance.rules, advance.cards)
        kept = {rule_id for rule_id, rule in self.rules.rules.items() if before.rules.get(rule_id) == rule}
        for key in [key for key in self._groups if key[0] not in kept]:
            self._forget(key)

    def _enqueue(self, key: Key, windows: Windows) -> None:
        due = windows.next_due()
        if not windows.due or due < windows.due:
            windows.due = due
            heapq.heappush(self._queue, (due, key))

    def _forget(self, key: Key) -> None:
        self.size_bytes -= self._groups.pop(key).size_bytes

    def _evict(self) -> None:
        while self.size_bytes > self.limit_bytes and self._groups:
            self._forget(next(iter(self._groups)))
            self.evicted += 1


class _Step:
    """One step of a correlator, while it is taken."""

    def __init__(self, correlator: Correlator, advance: Advance) -> None:
        self._all, self._advance = correlator, advance
        self._clock = correlator._clock_us // SECOND_US
        self._touched: dict[Key, Windows] = {}
        self._spells: dict[int, tuple[Windows, Spell]] = {}
        self._changed = bool(advance.rules or advance.partials)
        self._waiting: list[tuple[Windows, Spell]] = []

    def take(self, partials: Iterable[Partial]) -> None:
        """Add partials to their windows, and judge these."""
        touched: dict[Key, Windows] = {}
        for one in partials:
            key = (one.correlation, one.unit, one.realm, one.group)
            windows = self._all._groups.get(key)
            if windows is None:
                if (rule := self._all.rules.rules.get(one.correlation)) is None:
                    continue
                windows = Windows(rule, one, self._all.rules.grace_s(rule.id, self._all.grace_s))
                self._all._groups[key] = windows
            touched[key] = windows
            self._all.late += windows.add(one, self._clock)
        for key, windows in touched.items():
            self._all._groups.move_to_end(key)
            self._judge(key, windows)

    def close_due(self) -> None:
        """Close, settle and forget what is due by the clock, earliest first, and hand on what that brings."""
        self._fire()
        queue, groups = self._all._queue, self._all._groups
        while queue and queue[0][0] <= self._clock:
            due, key = heapq.heappop(queue)
            windows = groups.get(key)
            if windows is None or windows.due != due:
                continue
            windows.due = 0
            if windows.is_over(self._clock):
                self._all._forget(key)
                self._changed = True
            else:
                self._judge(key, windows)
                self._fire()  # before what it hands on to is due itself, however far the clock has jumped

    def finish(self) -> None:
        """Close everything: first what builds on events alone, so that what builds on that is whole when it closes."""
        for depth in range(DEEPEST + 1):
            for key, windows in list(self._all._groups.items()):
                if self._all.rules.depth(key[0]) == depth:
                    self._judge(key, windows, finish=True)
            self._fire()

    def _fire(self) -> None:
        """Hand the spells that are settled to the correlations that build on theirs."""
        while self._waiting:
            settled, self._waiting = self._waiting, []
            self.take(
                partial
                for windows, spell in settled
                for upper in self._all.rules.above(windows.correlation.id)
                if (partial := firing_of(windows, spell, self._id_of(windows, spell), upper)) is not None
            )

    def changes(self) -> Changes:
        """What came of it; every window that was touched is trimmed, measured and queued."""
        self._spells = {key: found for key, found in self._spells.items() if found[0].has(found[1])}
        episodes = [self._episode(windows, spell) for windows, spell in self._spells.values()]
        gone = {row for windows in self._touched.values() for row in windows.gone}
        deltas: list[AlertDelta] = []
        began: list[str] = []
        for (_, spell), episode in zip(self._spells.values(), episodes, strict=True):
            if spell.row and spell.row != episode.finding_id:
                gone.add(spell.row)
            if not spell.row:
                began.append(episode.rule_id)
            if episode.raises_alert and episode.count > spell.told:
                deltas.append(self._delta(episode, spell))
            spell.row, spell.told = episode.finding_id, episode.count
        for key, windows in self._touched.items():
            windows.gone = []
            hold_s = 3 * windows.grace_s if self._all.rules.depth(key[0]) else 0
            windows.trim(self._clock, hold_s)
            self._all.size_bytes += windows.measure()
            self._all._enqueue(key, windows)
        told = {episode.finding_id for episode in episodes}
        return Changes(
            episodes=episodes,
            gone=sorted(gone - told),
            deltas=deltas,
            began=began,
            kept=self._changed or bool(episodes),
        )

    def _judge(self, key: Key, windows: Windows, *, finish: bool = False) -> None:
        self._touched[key] = windows
        changed = windows.judge()
        laid = windows.laid
        closed = windows.close(self._clock, all_of_it=finish)
        settled = windows.settled(self._clock, all_of_it=finish)
        for spell in (*changed, *closed):
            self._spells[id(spell)] = (windows, spell)
        self._waiting += [(windows, spell) for spell in (*settled, *closed)]
        self._changed = self._changed or bool(changed or closed or settled) or windows.laid != laid

    def _id_of(self, windows: Windows, spell: Spell) -> str:
        rule = windows.correlation
        key = alert_key(rule.id, windows.unit, windows.realm, _named(rule, windows.group))
        start = min(tally.first for tally in spell.tallies.values())
        return finding_id(rule.id, self._all.rules.card(rule.id).content_sha256, f"{key}:{start}")

    def _episode(self, windows: Windows, spell: Spell) -> Episode:
        rule, card = windows.correlation, self._all.rules.card(windows.correlation.id)
        samples = sorted(Sample(at, event, name) for name, one in spell.tallies.items() for at, event in one.samples)
        group = _named(rule, windows.group)
        return Episode(
            finding_id=self._id_of(windows, spell),
            rule_id=rule.id,
            key=alert_key(rule.id, windows.unit, windows.realm, group),
            group=group,
            level=card.level,
            layer=windows.layer,
            unit=windows.unit,
            realm=windows.realm,
            source_id=windows.source_id,
            start=min(tally.first for tally in spell.tallies.values()),
            held=windows.held_at(spell),
            last=max(tally.last for tally in spell.tallies.values()),
            count=spell.count,
            counts={name: one.count for name, one in sorted(spell.tallies.items())},
            figure=figure_of(self._all.rules.unordered(rule), [spell.tallies]) or 0.0,
            approximate=any(one.sketch is not None for one in spell.tallies.values()),
            samples=_some_of_each(samples),
            definition=rule,
            titles=self._all.rules.titles(rule),
            chained=self._all.rules.chained(rule),
            entities={name: list(values) for name, values in spell.entities.items()},
            raises_alert=self._all.rules.raises_alerts(rule.id),
            received=self._advance.clock_us,
            offset=self._advance.offset,
        )

    def _delta(self, episode: Episode, spell: Spell) -> AlertDelta:
        rule = episode.definition
        return AlertDelta(
            key=episode.key,
            rule=self._all.rules.card(rule.id),
            group=episode.group,
            level=episode.level,
            layer=episode.layer,
            unit=episode.unit,
            realm=episode.realm,
            source_id=episode.source_id,
            count=episode.count - spell.told,
            first_seen=episode.start,
            last_seen=episode.last,
            first_offset=min(self._advance.after + 1, self._advance.offset),
            last_offset=self._advance.offset,
            entities=episode.entities,
            matched=condition_words(rule),
            sample_event_id=episode.example,
        )


def condition_words(rule: Correlation) -> dict[str, str]:
    """What the rule asks for, in a few words: its type, and its conditions with the window."""
    asked = " and ".join(f"{operator.value} {limit:g}" for operator, limit in rule.conditions)
    return {rule.type.value: f"{asked or 'all base rules'} in {rule.timespan_s} s"}


def _named(rule: Correlation, values: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(rule.group_by, values, strict=True))


def _some_of_each(samples: list[Sample]) -> list[Sample]:
    """The earliest samples, in order: of each base rule at least one."""
    first: dict[str, Sample] = {}
    for one in samples:
        first.setdefault(one.rule_id, one)
    chosen = {*first.values(), *samples[: max(SAMPLES, len(first)) - len(first)]}
    return sorted(chosen)
