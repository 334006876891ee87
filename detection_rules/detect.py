"""Located event groups to the outcome of their batch: findings, counts and archive rows. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from detection_rules.engine import raw_text
from detection_rules.explain import VALUE_CHARS, explain
from detection_rules.predicate import elements, text_of
from detection_rules.rows import row_block
from detection_rules.rule import Rule
from detection_rules.snapshot import Snapshot
from soc_model.event import HEADER, QUARANTINED, TIME_FLAGGED, TRUNCATED, Located
from soc_model.finding import Finding, alert_key, finding_id
from soc_model.outcome import Outcome, Stat

#: The alert key of a rule that names none: of these, those the event has.
DEFAULT_GROUP = ("host.name", "user.name", "source.ip")
#: The header columns whose values are entities.
ENTITIES = (
    "host.name",
    "user.name",
    "source.ip",
    "destination.ip",
    "process.executable",
    "file.path",
    "url.domain",
)
MICROSECONDS = 1_000_000


def detect(groups: Sequence[Located], snapshot: Snapshot, offset: int, received: int) -> Outcome:
    """What the groups of one batch come to under the snapshot's rules."""
    findings: list[Finding] = []
    stats: list[Stat] = []
    for located in groups:
        found = list(_findings(located, snapshot))
        findings += found
        stats.append(_stat(located, len(found)))
    fired = {finding.rule_id for finding in findings}
    return Outcome(
        offset=offset,
        received=received,
        snapshot=snapshot.id,
        findings=findings,
        cards={rule_id: snapshot.cards[rule_id] for rule_id in sorted(fired)},
        stats=_summed(stats),
        blocks=[row_block(located) for located in groups if len(located.group)],
    )


def _findings(located: Located, snapshot: Snapshot) -> Iterator[Finding]:
    for index, rules in enumerate(snapshot.engine.match(located.group)):
        for number in rules:
            yield _finding(located, index, number, snapshot)


def _finding(located: Located, index: int, number: int, snapshot: Snapshot) -> Finding:
    rule, source = snapshot.rules[number], located.source
    fields = located.group.fields[index]
    if index in located.group.unparsed:
        fields = {"raw": raw_text(located.group.raws[index])}
    header = {name: values[index] for name, values in located.group.header.items()}
    group = _group(rule, header, fields, source.id)
    return Finding(
        finding_id=finding_id(rule.card.id, rule.card.content_sha256, located.event_ids[index]),
        rule_id=rule.card.id,
        event_id=located.event_ids[index],
        key=alert_key(rule.card.id, source.unit, source.realm, group),
        group=group,
        level=rule.card.level,
        layer=source.layer,
        unit=source.unit,
        realm=source.realm,
        source_id=source.id,
        at=located.at[index],
        received=located.received,
        offset=located.offset,
        entities=_present(ENTITIES, header),
        matched=explain(snapshot.engine, number, fields, located.group.type),
    )


def _present(names: Iterable[str], values: dict[str, Any]) -> dict[str, str]:
    return {name: text for name in names if (text := _text(values.get(name)))}


def _text(value: Any) -> str:
    """A value as short text; of a list its elements."""
    texts = [text_of(element) for element in elements(value) if element is not None]
    return ", ".join(texts)[:VALUE_CHARS]


def _group(rule: Rule, header: dict[str, Any], fields: dict[str, Any], source_id: str) -> dict[str, str]:
    """The names and values of the alert key; the source where the event has none of them."""
    if rule.card.group_by:
        found = {name: text for name in rule.card.group_by if (text := _grouped(rule, name, header, fields))}
    else:
        found = _present(DEFAULT_GROUP, header)
    return found or {"source": source_id}


def _grouped(rule: Rule, name: str, header: dict[str, Any], fields: dict[str, Any]) -> str:
    if name in HEADER:
        return _text(header.get(name))
    others = [variant.renamed[name] for variant in rule.variants if name in variant.renamed]
    return next((text for one in (name, *others) if (text := _text(fields.get(one)))), "")


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
