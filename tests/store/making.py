"""Makes sources, chunks, findings, outcomes and alert deltas for the store tests."""

import itertools
from typing import Any

from soc_model.alert import AlertDelta
from soc_model.chunk import Chunk
from soc_model.event import event_id
from soc_model.finding import Finding, RuleCard
from soc_model.layer import Layer, Level, Realm
from soc_model.outcome import Outcome, RowBlock, Stat
from soc_model.scope import Scope
from soc_model.source import Source

DAY = 86_400_000_000
NOON = 1_700_049_600_000_000 + DAY // 2 - (1_700_049_600_000_000 % DAY)
SYSTEM = Scope(units=None, realms=frozenset(Realm))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: int = NOON) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def source(name: str = "s1", unit: str = "u1", realm: Realm = Realm.LIVE, layer: Layer = Layer.HOST) -> Source:
    return Source(id=name, name=name, transport="file", format="ndjson", layer=layer, unit=unit, realm=realm)


def chunk(*records: bytes, source_id: str = "s1", stream: str = "f1", **more: Any) -> Chunk:
    known: dict[str, Any] = {"received": NOON, "format": "ndjson", **more}
    return Chunk(source_id=source_id, stream=stream, records=list(records), **known)


def card(rule_id: str = "r1", level: Level = Level.HIGH, title: str = "Brute force", **more: Any) -> RuleCard:
    return RuleCard(id=rule_id, title=title, level=level, content_sha256=more.pop("sha", "00"), **more)


def block(offset: int, raws: list[str], *, source_id: str = "s1", unit: Any = "u1", **more: Any) -> RowBlock:
    """Rows of one chunk; ``more`` gives columns (lists) and constants (anything else)."""
    constants: dict[str, Any] = {"layer": "host", "realm": "live", "received": NOON}
    more = {"unit": unit, "source_id": source_id, **more}
    constants |= {"offset": offset, "chunk": 0, "dataset": "syslog"}
    ends = list(itertools.accumulate(map(len, raws), initial=0))
    columns: dict[str, list[Any]] = {
        "event_id": [
            event_id(f"{source_id}{offset}:{end}", raw.encode()) for end, raw in zip(ends, raws, strict=False)
        ],
        "@timestamp": [NOON + offset * 1000 + n for n in range(len(raws))],
        "byte": ends[:-1],
        "raw": raws,
        "raw_bytes": [len(raw.encode()) for raw in raws],
    }
    for name, value in ((name.replace("__", "."), value) for name, value in more.items()):
        (columns if isinstance(value, list) else constants)[name] = value
        if name in columns:
            constants.pop(name, None)
        else:
            columns.pop(name, None)
    constants = {name: value for name, value in constants.items() if name not in columns}
    return RowBlock(rows=len(raws), constants=constants, columns=columns)


def finding(offset: int, n: int = 0, **more: Any) -> Finding:
    known: dict[str, Any] = {
        "finding_id": f"{offset:08x}{n:024x}",
        "rule_id": "r1",
        "event_id": f"{n:032x}",
        "key": "k1",
        "group": {"host.name": "h1"},
        "level": Level.HIGH,
        "layer": Layer.HOST,
        "unit": "u1",
        "realm": Realm.LIVE,
        "source_id": "s1",
        "at": NOON + offset,
        "received": NOON,
        "offset": offset,
    }
    return Finding(**known | more)


def stat(events: int, **more: Any) -> Stat:
    known: dict[str, Any] = {"source_id": "s1", "dataset": "syslog", "day": "2023-11-15", "layer": Layer.HOST}
    known |= {"unit": "u1", "realm": Realm.LIVE, "events": events, "raw_bytes": events * 10, "last_received": NOON}
    return Stat(**known | more)


def outcome(
    offset: int, *blocks: RowBlock, findings: tuple[Finding, ...] = (), stats: tuple[Stat, ...] = ()
) -> Outcome:
    return Outcome(
        offset=offset,
        received=NOON,
        snapshot="snap",
        findings=list(findings),
        cards={"r1": card()},
        stats=list(stats),
        blocks=list(blocks),
    )


def delta(key: str = "k1", **more: Any) -> AlertDelta:
    known: dict[str, Any] = {
        "key": key,
        "rule": card(),
        "group": {"host.name": "h1"},
        "level": Level.HIGH,
        "layer": Layer.HOST,
        "unit": "u1",
        "realm": Realm.LIVE,
        "source_id": "s1",
        "count": 1,
        "first_seen": NOON,
        "last_seen": NOON,
        "first_offset": 1,
        "last_offset": 1,
        "entities": {"host.name": ["h1"]},
        "matched": {"a": "b"},
        "sample_event_id": "e1",
    }
    return AlertDelta(**known | more)
