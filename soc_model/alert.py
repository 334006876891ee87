"""Findings of one key, counted: what an analyst looks at."""

from enum import StrEnum
from typing import Any

import msgspec

from soc_model.finding import RuleCard
from soc_model.layer import Layer, Level, Realm


class AlertState(StrEnum):
    """Where an alert stands with the people who work on it."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert (告警): the findings with ``key`` whose journal offset is in [first_offset, last_offset].

    ``first_seen`` and ``last_seen`` are event times; ``created`` and ``updated`` are the center's own. ``matched`` and
    ``sample_event_id`` come from the first finding, as the example of why it fired. Of ``count`` findings
    ``storm_count`` were counted only (风暴): their events are in the archive, they themselves were not kept.
    """

    id: int
    key: str
    rule: RuleCard
    group: dict[str, str]
    level: Level
    layer: Layer
    unit: str
    realm: Realm
    source_id: str
    state: AlertState
    count: int
    first_seen: int
    last_seen: int
    created: int
    updated: int
    first_offset: int
    last_offset: int
    entities: dict[str, list[str]]
    matched: dict[str, str]
    sample_event_id: str
    storm_count: int = 0


class AlertDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What one triage tick adds to the open alert of ``key``, or opens it with.

    Counts are added, times and offsets widen the range, entities are united (at most ``ENTITY_VALUES`` values each).
    """

    key: str
    rule: RuleCard
    group: dict[str, str]
    level: Level
    layer: Layer
    unit: str
    realm: Realm
    source_id: str
    count: int
    first_seen: int
    last_seen: int
    first_offset: int
    last_offset: int
    entities: dict[str, list[str]]
    matched: dict[str, str]
    sample_event_id: str
    storm_count: int = 0


ENTITY_VALUES = 50


class OutboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """One notice of a committed change, in the order of commits; ``seq`` only grows and never repeats."""

    seq: int
    kind: str
    at: int
    unit: str
    realm: Realm
    body: dict[str, Any]
