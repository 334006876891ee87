"""The alarm of a record that stopped the detection: a finding like any other, so that it becomes an alert.

Its rule is ours and always there. A quarantined record never decides anything itself, so the alarm is keyed by source.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from soc_model.event import Located, event_id
from soc_model.finding import Finding, RuleCard, alert_key, finding_id
from soc_model.layer import Layer, Level, Realm
from soc_model.outcome import Outcome, Stat

CARD = RuleCard(
    id="fengsui-quarantine",
    title="Record stopped the detection and was quarantined",
    title_zh="记录使检测进程中断，已隔离",
    level=Level.HIGH,
    description="Detection stopped on it twice, so it was kept raw and decided by no rule: it may be an attack on the "
    "center, or a fault of ours. See `fengsui quarantine list`; after a fix, replay it.",
    status="stable",
    content_sha256=sha256(b"fengsui-quarantine 1").hexdigest(),
)
SHOWN_BYTES = 200
ALARMS = 100  # of one chunk: a batch that is kept raw whole may hold thousands, and all their rows are flagged
CENTER = "fengsui"  # the source of what no source can be named for


def alarmed(outcome: Outcome, kept: Sequence[Located]) -> Outcome:
    """The outcome with an alarm for each record in ``kept``, and its counts."""
    findings = [_finding(located, index) for located in kept for index in range(min(len(located.group), ALARMS))]
    if not findings:
        return outcome
    counted = Counter(_place(located) for located in kept for _ in range(min(len(located.group), ALARMS)))
    return msgspec.structs.replace(
        outcome,
        findings=[*outcome.findings, *findings],
        cards={**outcome.cards, CARD.id: CARD},
        stats=[_counted(stat, counted) for stat in outcome.stats],
    )


def put_aside_alarm(offset: int, received: int, blob: bytes, why: str) -> Finding:
    """The alarm of a whole batch that nothing can be read of: of no unit, so only who sees every unit sees it."""
    group = {"source": CENTER}
    event = event_id(f"quarantine\0{offset}", blob)
    return Finding(
        finding_id=finding_id(CARD.id, CARD.content_sha256, event),
        rule_id=CARD.id,
        event_id=event,
        key=alert_key(CARD.id, "", Realm.LIVE, group),
        group=group,
        level=CARD.level,
        layer=Layer.PLATFORM,
        unit="",
        realm=Realm.LIVE,
        source_id=CENTER,
        at=received,
        received=received,
        offset=offset,
        matched={"batch": f"quarantine/{offset}.blob", "why": why[:SHOWN_BYTES]},
    )


def _finding(located: Located, index: int) -> Finding:
    source, event = located.source, located.event_ids[index]
    group = {"source": source.id}
    return Finding(
        finding_id=finding_id(CARD.id, CARD.content_sha256, event),
        rule_id=CARD.id,
        event_id=event,
        key=alert_key(CARD.id, source.unit, source.realm, group),
        group=group,
        level=CARD.level,
        layer=source.layer,
        unit=source.unit,
        realm=source.realm,
        source_id=source.id,
        at=located.at[index],
        received=located.received,
        offset=located.offset,
        matched={"raw": located.group.raws[index][:SHOWN_BYTES].decode("utf-8", "backslashreplace")},
    )


def _place(located: Located) -> tuple[str, str]:
    return located.source.id, located.group.type.dataset


def _counted(stat: Stat, alarms: Counter[tuple[str, str]]) -> Stat:
    # One received day is enough: all chunks of a source in a batch came within a moment; the rest goes to the first.
    more = alarms.pop((stat.source_id, stat.dataset), 0)
    return msgspec.structs.replace(stat, findings=stat.findings + more) if more else stat
