"""What is asked of events and findings, and what comes back."""

from typing import Any

import msgspec

from soc_model.finding import Finding
from soc_model.layer import Layer, Realm


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; empty means all. ``text`` is the query language; [``since``, ``until``) is event time."""

    text: str = ""
    since: int | None = None
    until: int | None = None
    layers: tuple[Layer, ...] = ()
    realms: tuple[Realm, ...] = ()
    source_ids: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    limit: int = 100
    cursor: str | None = None


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, newest first, with all columns of ``soc_model.event.COLUMNS`` (``raw_binary`` as base64).

    ``cursor`` asks for those after, ``None`` when there are none. ``scanned_rows``: how many were looked at.
    """

    rows: list[dict[str, Any]]
    cursor: str | None
    scanned_rows: int


class FindingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one alert by its key, or of one rule by its id, in an offset range (both ends are in it)."""

    first_offset: int
    last_offset: int
    key: str = ""
    rule_id: str = ""
    limit: int = 100
    cursor: str | None = None


class FindingPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some findings, newest first; ``cursor`` asks for those after."""

    findings: list[Finding]
    cursor: str | None
