"""Outcomes to what they add to alerts: findings of one key folded into one delta. Pure; order of outcomes is kept."""

from collections.abc import Iterable

import msgspec

from soc_model.alert import ENTITY_VALUES, AlertDelta
from soc_model.finding import Finding, RuleCard
from soc_model.outcome import Outcome, Storm


def fold(outcomes: Iterable[Outcome]) -> list[AlertDelta]:
    """One delta for each alert key that has findings, in the order of first findings; storms count in full.

    ``matched`` and ``sample_event_id`` come from the first finding; the rule card from the latest outcome.
    """
    found: dict[str, AlertDelta] = {}
    for outcome in outcomes:
        for finding in outcome.findings:
            card = outcome.cards[finding.rule_id]
            known = found.get(finding.key)
            found[finding.key] = _first(finding, card) if known is None else _added(known, finding, card)
        for storm in outcome.storms:
            found[storm.key] = _stormed(found[storm.key], storm)
    return list(found.values())


def _first(finding: Finding, card: RuleCard) -> AlertDelta:
    return AlertDelta(
        key=finding.key,
        rule=card,
        group=finding.group,
        level=finding.level,
        layer=finding.layer,
        unit=finding.unit,
        realm=finding.realm,
        source_id=finding.source_id,
        count=1,
        first_seen=finding.at,
        last_seen=finding.at,
        first_offset=finding.offset,
        last_offset=finding.offset,
        entities={name: [value] for name, value in finding.entities.items()},
        matched=finding.matched,
        sample_event_id=finding.event_id,
    )


def _added(delta: AlertDelta, finding: Finding, card: RuleCard) -> AlertDelta:
    _unite(delta.entities, finding.entities)
    return msgspec.structs.replace(
        delta,
        rule=card,
        level=finding.level,
        count=delta.count + 1,
        first_seen=min(delta.first_seen, finding.at),
        last_seen=max(delta.last_seen, finding.at),
        first_offset=min(delta.first_offset, finding.offset),
        last_offset=max(delta.last_offset, finding.offset),
    )


def _stormed(delta: AlertDelta, storm: Storm) -> AlertDelta:
    return msgspec.structs.replace(
        delta,
        count=delta.count + storm.count,
        storm_count=delta.storm_count + storm.count,
        first_seen=min(delta.first_seen, storm.first_seen),
        last_seen=max(delta.last_seen, storm.last_seen),
    )


def _unite(into: dict[str, list[str]], entities: dict[str, str]) -> None:
    for name, value in entities.items():
        values = into.setdefault(name, [])
        if value not in values and len(values) < ENTITY_VALUES:
            values.append(value)
