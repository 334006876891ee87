"""Located event groups to the outcome of their batch: findings, counts and archive rows. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from detection_rules.event_values import ENTITIES, fields_of, header_of, names_of, present, short_text
from detection_rules.explain import explain
from detection_rules.indicator_finding import card_of, holds, level_of, matched_of
from detection_rules.indicators import NO_INDICATORS, Hit, Indicators
from detection_rules.partials import Partials
from detection_rules.rows import row_block
from detection_rules.rule import Rule
from detection_rules.sightings import see
from detection_rules.snapshot import Snapshot
from soc_model.event import HEADER, QUARANTINED, TIME_FLAGGED, TRUNCATED, Located
from soc_model.finding import Finding, RuleCard, alert_key, finding_id
from soc_model.indicator import Indicator
from soc_model.outcome import KEPT, Outcome, Stat, Storm

#: The alert key of a rule that names none: of these, those the event has.
DEFAULT_GROUP = ("host.name", "user.name", "source.ip")
MICROSECONDS = 1_000_000


def detect(
    groups: Sequence[Located],
    snapshot: Snapshot,
    offset: int,
    received: int,
    *,
    keep: int = KEPT,
    indicators: Indicators = NO_INDICATORS,
) -> Outcome:
    """What the groups of one batch come to under the snapshot's rules and the indicators.

    A rule's findings above ``keep`` are counted.
    """
    partials = Partials(snapshot)
    kept = Kept(snapshot, keep, partials, indicators)
    stats = [_stat(located, kept.add_all(located)) for located in groups]
    findings = kept.findings
    seen = see(groups)
    correlations = partials.correlations()
    named = {base for one in correlations.values() for base in one.rules if base in snapshot.cards}
    fired = {finding.rule_id for finding in findings}.union(correlations, named)
    return Outcome(
        offset=offset,
        received=received,
        snapshot=snapshot.id,
        findings=findings,
        cards={rule_id: kept.cards.get(rule_id) or snapshot.cards[rule_id] for rule_id in sorted(fired)},
        stats=_with_capped(_summed(stats), seen.capped),
        blocks=[row_block(located) for located in groups if len(located.group)],
        storms=list(kept.storms.values()),
        sightings=seen.sightings,
        partials=partials.partials(),
        correlations=correlations,
        indicators=indicators.id,
    )


class Kept:
    """The findings of one batch: of each rule the first ``keep``, of each alert key the first, the others as storms.

    What a base rule finds goes to ``partials``; it is a finding too only where the rule alerts by itself.
    """

    def __init__(
        self, snapshot: Snapshot, keep: int, partials: Partials, indicators: Indicators = NO_INDICATORS
    ) -> None:
        self._snapshot, self._keep, self._partials, self._indicators = snapshot, keep, partials, indicators
        self._silent = frozenset(number for number in snapshot.contributions if not snapshot.rules[number].alerts)
        self.cards: dict[str, RuleCard] = {}  # of indicators: those that are no rules of the snapshot
        self._of_rule: Counter[str] = Counter()
        self._keys: set[str] = set()
        self.findings: list[Finding] = []
        self.storms: dict[str, Storm] = {}

    def add_all(self, located: Located) -> int:
        """Take what the rules find in a group; how much that is."""
        found, bases, takers = 0, self._snapshot.contributions, self._partials.takers(located)
        for index, rules in enumerate(self._snapshot.engine.match(located.group)):
            for number in rules:
                if number in bases:
                    for taker in takers[number]:
                        taker.take(index)
                if number not in self._silent:
                    found += 1
                    self._add(located, index, number)
        return found + self._add_hits(located)

    def _add_hits(self, located: Located) -> int:
        """Take what indicators name in a group, each once for an event."""
        seen = set()
        for hit in self._indicators.hits(located.group):
            for one in hit.found:
                if holds(one, located.at[hit.event], located.received) and (hit.event, one) not in seen:
                    seen.add((hit.event, one))
                    self._add_hit(located, hit, one)
        return len(seen)

    def _add_hit(self, located: Located, hit: Hit, one: Indicator) -> None:
        card = card_of(one.feed, one.kind, level_of(one.confidence))
        header = {name: values[hit.event] for name, values in located.group.header.items()}
        group = {"indicator": one.value, **present(("host.name",), header)}
        if len(group) == 1:
            group |= present(("source.ip",), header)
        self.cards[card.id] = card
        # One rule may fire twice on one event, for two values: the value makes two findings of it.
        content = f"{card.content_sha256}\0{one.value}"
        why = partial(matched_of, hit, one)
        self._take(located, hit.event, card, group=group, header=header, content=content, matched=why)

    def _add(self, located: Located, index: int, number: int) -> None:
        rule, source, fields = self._snapshot.rules[number], located.source, fields_of(located, index)
        header = header_of(located, index)
        group = _group(rule, header, fields, source.id)
        card, engine, kind = rule.card, self._snapshot.engine, located.group.type
        content, why = card.content_sha256, partial(explain, engine, number, fields, kind)
        self._take(located, index, card, group=group, header=header, content=content, matched=why)

    def _take(
        self,
        located: Located,
        index: int,
        card: RuleCard,
        *,
        group: dict[str, str],
        header: dict[str, Any],
        content: str,
        matched: Callable[[], dict[str, str]],
    ) -> None:
        """Keep a finding or count it; why it fired is asked for only where it is kept."""
        key = alert_key(card.id, located.source.unit, located.source.realm, group)
        self._of_rule[card.id] += 1
        if self._of_rule[card.id] > self._keep and key in self._keys:
            self._count(card.id, key, located.at[index])
            return
        self._keys.add(key)
        why = matched()
        self.findings.append(
            _finding(located, index, card, content=content, key=key, group=group, header=header, matched=why)
        )

    def _count(self, rule_id: str, key: str, at: int) -> None:
        one = self.storms.get(key)
        if one is None:
            self.storms[key] = Storm(rule_id=rule_id, key=key, count=1, first_seen=at, last_seen=at)
        else:
            first, last = min(one.first_seen, at), max(one.last_seen, at)
            self.storms[key] = msgspec.structs.replace(one, count=one.count + 1, first_seen=first, last_seen=last)


def _finding(
    located: Located,
    index: int,
    card: RuleCard,
    *,
    content: str,
    key: str,
    group: dict[str, str],
    header: dict[str, Any],
    matched: dict[str, str],
) -> Finding:
    source = located.source
    return Finding(
        finding_id=finding_id(card.id, content, located.event_ids[index]),
        rule_id=card.id,
        event_id=located.event_ids[index],
        key=key,
        group=group,
        level=card.level,
        layer=source.layer,
        unit=source.unit,
        realm=source.realm,
        source_id=source.id,
        at=located.at[index],
        received=located.received,
        offset=located.offset,
        entities=present(ENTITIES, header),
        matched=matched,
    )


def _group(rule: Rule, header: dict[str, Any], fields: dict[str, Any], source_id: str) -> dict[str, str]:
    """The names and values of the alert key; the source where the event has none of them."""
    if rule.card.group_by:
        found = {name: text for name in rule.card.group_by if (text := _grouped(rule, name, header, fields))}
    else:
        found = present(DEFAULT_GROUP, header)
    return found or {"source": source_id}


def _grouped(rule: Rule, name: str, header: dict[str, Any], fields: dict[str, Any]) -> str:
    if name in HEADER:
        return short_text(header.get(name))
    return next((text for one in names_of(rule, name) if (text := short_text(fields.get(one)))), "")


def _stat(located: Located, findings: int) -> Stat:
    group, source, flags = located.group, located.source, located.flags
    flagged = any(flags)
    pairs = zip(located.at, flags, strict=True)
    times = [at for at, words in pairs if TIME_FLAGGED not in words] if flagged else located.at
    lag_us = located.received - min(times, default=located.received)
    return Stat(
        source_id=source.id,
        dataset=group.type.dataset,
        day=datetime.fromtimestamp(located.received // MICROSECONDS, UTC).strftime("%Y-%m-%d"),
        layer=source.layer,
        unit=source.unit,
        realm=source.realm,
        events=len(group),
        raw_bytes=_raw_bytes(located),
        unparsed=len(group.unparsed),
        truncated=_flagged(flags, TRUNCATED) if flagged else 0,
        time_flagged=_flagged(flags, TIME_FLAGGED) if flagged else 0,
        quarantined=_flagged(flags, QUARANTINED) if flagged else 0,
        findings=findings,
        last_received=located.received,
        lag_max_s=max(0.0, lag_us / MICROSECONDS),
        last_problem=group.unparsed[max(group.unparsed)] if group.unparsed else "",
    )


def _raw_bytes(located: Located) -> int:
    """The bytes of all records, of those kept in part the whole's."""
    raws = located.group.raws
    return sum(map(len, raws)) + sum(whole - len(raws[i]) for i, (whole, _) in located.sizes.items())


def _flagged(flags: Sequence[str], flag: str) -> int:
    return sum(flag in words for words in flags)


def _summed(stats: Iterable[Stat]) -> list[Stat]:
    """One row for each source, dataset, day, layer, unit and realm."""
    found: dict[tuple[str, ...], Stat] = {}
    for stat in stats:
        key = (stat.source_id, stat.dataset, stat.day, stat.layer, stat.unit, stat.realm)
        found[key] = _sum(found[key], stat) if key in found else stat
    return list(found.values())


def _sum(one: Stat, other: Stat) -> Stat:
    return Stat(
        source_id=one.source_id,
        dataset=one.dataset,
        day=one.day,
        layer=one.layer,
        unit=one.unit,
        realm=one.realm,
        events=one.events + other.events,
        raw_bytes=one.raw_bytes + other.raw_bytes,
        unparsed=one.unparsed + other.unparsed,
        truncated=one.truncated + other.truncated,
        time_flagged=one.time_flagged + other.time_flagged,
        quarantined=one.quarantined + other.quarantined,
        findings=one.findings + other.findings,
        last_received=max(one.last_received, other.last_received),
        lag_max_s=max(one.lag_max_s, other.lag_max_s),
        last_problem=other.last_problem or one.last_problem,
    )


def _with_capped(stats: list[Stat], capped: Mapping[str, int]) -> list[Stat]:
    """The same with the sightings that were left out, counted in the first row of their source."""
    left = dict(capped)
    return [
        msgspec.structs.replace(stat, sightings_capped=left.pop(stat.source_id)) if stat.source_id in left else stat
        for stat in stats
    ]
