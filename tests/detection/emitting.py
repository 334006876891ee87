"""Outcomes with partials made of plain events, as detection makes them, and a correlator that is fed with them."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from detection_rules.correlator import Advance, Changes, Correlator, FrozenCorrelator
from soc_model.correlation import SAMPLES, Correlation, Partial
from soc_model.episode import Episode
from soc_model.finding import RuleCard
from soc_model.layer import Layer, Level, Realm
from soc_model.outcome import Outcome
from tests.detection.sequence_oracle import SECOND_US, Event, Found, is_number


def card(rule_id: str, **more: Any) -> RuleCard:
    """The card of a rule."""
    return RuleCard(
        id=rule_id, title=f"rule {rule_id}", title_zh="规则", level=Level.HIGH, content_sha256=f"c {rule_id}", **more
    )


def emitted(rules: Sequence[Correlation], events: Iterable[Event], realm: Realm = Realm.LIVE) -> list[Partial]:
    """The partials of one batch with these events."""
    found: dict[tuple[Any, ...], list[Event]] = {}
    for rule in rules:
        for event in events:
            group = tuple(event.get(rule.field_of(event.rule, name)) for name in rule.group_by)
            if event.rule in rule.rules and None not in group:
                found.setdefault((rule.id, event.rule, event.unit, group, event.second), []).append(event)
    named = {rule.id: rule for rule in rules}
    return [partial(named[key[0]], key[1], key[3], sorted(own), realm) for key, own in found.items()]


def partial(rule: Correlation, base: str, group: tuple[str, ...], events: list[Event], realm: Realm) -> Partial:
    """The events of one rule, group and second as a partial."""
    values = [[event.get(rule.field_of(base, name)) for name in rule.fields] for event in events]
    texts = ["\0".join(map(str, value)) for value in values if value and None not in value]
    numbers = [float(value[0]) for value in values if value and value[0] is not None and is_number(value[0])]
    return Partial(
        correlation=rule.id,
        rule=base,
        layer=Layer.HOST,
        unit=events[0].unit,
        realm=realm,
        source_id="s1",
        group=group,
        second=events[0].second,
        count=len(events),
        first=events[0].at,
        last=events[-1].at,
        samples=[(event.at, event.id) for event in events][:SAMPLES],
        entities=dict(zip(rule.group_by, group, strict=True)),
        values={text: texts.count(text) for text in texts},
        total=sum(numbers),
        numbers=len(numbers),
    )


def outcome(
    offset: int, rules: Sequence[Correlation], events: Sequence[Event] = (), received: int = 0, **more: Any
) -> Outcome:
    """What a batch with these events came to."""
    partials = emitted(rules, events)
    bases = {base for rule in rules for base in rule.rules}
    named = {rule.id: rule for rule in rules} if partials else {}
    return Outcome(
        offset=offset,
        received=received or max((event.at for event in events), default=0),
        snapshot="snapshot",
        findings=[],
        cards={rule_id: card(rule_id) for rule_id in (*named, *(bases if named else ()))},
        stats=[],
        blocks=[],
        partials=partials,
        correlations=named,
        **more,
    )


class Fed:
    """A correlator, and the episodes and alerts that its changes come to."""

    def __init__(self, **options: Any) -> None:
        self.correlator = Correlator(**options)
        self.episodes: dict[str, Episode] = {}
        self.counts: dict[str, int] = {}

    def feed(self, *outcomes: Outcome) -> Changes:
        """Take outcomes as one step."""
        return self.step(self.correlator.gather(outcomes))

    def finish(self) -> Changes:
        """Close everything."""
        return self.step(self.correlator.passing(0, finish=True))

    def step(self, advance: Advance) -> Changes:
        """Take a step, through the bytes it is kept as."""
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(advance), type=Advance)
        changes = self.correlator.apply(again)
        for gone in changes.gone:
            del self.episodes[gone]
        self.episodes |= {one.finding_id: one for one in changes.episodes}
        for delta in changes.deltas:
            self.counts[delta.key] = self.counts.get(delta.key, 0) + delta.count
        return changes

    def restart(self) -> None:
        """Go on as another process that has only what was kept."""
        kept = msgspec.msgpack.encode(self.correlator.freeze())
        self.correlator = Correlator.thaw(msgspec.msgpack.decode(kept, type=FrozenCorrelator))

    def found(self) -> list[Found]:
        """The episodes as the oracle gives them."""
        return sorted(
            Found(
                rule=one.rule_id,
                unit=one.unit,
                group=tuple(one.group[name] for name in one.definition.group_by),
                start=one.start,
                held=one.held,
                last=one.last,
                count=one.count,
                counts=tuple(sorted(one.counts.items())),
                figure=one.figure,
            )
            for one in self.episodes.values()
        )


def at(second: float, start: int = 1_000) -> int:
    """A time in microseconds, seconds after some beginning."""
    return round((start + second) * SECOND_US)
