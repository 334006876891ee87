"""What a reader asks of the alerts, and what it gets: filters, pages and counts."""

from typing import Literal

import msgspec

from soc_model.alert import Alert, AlertState
from soc_model.layer import Layer, Level, Realm

Sort = Literal["last_seen", "level", "count"]


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts; empty means all. ``entity`` is the exact value of any entity, ``text`` a part of a title,
    [``since``, ``until``) the time last seen."""

    states: tuple[AlertState, ...] = ()
    min_level: Level | None = None
    levels: tuple[Level, ...] = ()
    layers: tuple[Layer, ...] = ()
    realms: tuple[Realm, ...] = ()
    units: tuple[str, ...] = ()
    rule_id: str = ""
    entity: str = ""
    text: str = ""
    since: int | None = None
    until: int | None = None


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some alerts in order; ``cursor`` asks for those after, ``None`` when there are none."""

    alerts: list[Alert]
    cursor: str | None


class AlertCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts there are under a filter; only values that occur are named."""

    total: int
    by_level: dict[Level, int]
    by_layer: dict[Layer, int]
    by_state: dict[AlertState, int]
    by_realm: dict[Realm, int]
