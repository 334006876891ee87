"""What one batch came to: findings for triage, columns for the archive, counts for the roll-ups."""

from typing import Any

import msgspec

from soc_model.correlation import Correlation, Partial
from soc_model.finding import Finding, RuleCard
from soc_model.layer import Layer, Realm
from soc_model.sighting import Sighting

#: Findings of one rule that are kept singly of one batch; more are a storm.
KEPT = 100


class RowBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Archive rows of one event group: ``constants`` hold for all rows, ``columns`` are lists of ``rows`` values.

    A column of ``soc_model.event.COLUMNS`` in neither is null. ``layer``, ``realm`` and ``received`` are always
    constants, so a block falls into exactly one partition of the archive.
    """

    rows: int
    constants: dict[str, Any]
    columns: dict[str, list[Any]]


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """Counts per source, dataset and day received (UTC, ``YYYY-MM-DD``); summed by the roll-up.

    ``lag_max_s``: the largest received minus event time among rows whose time was believed. ``last_problem``: place
    and reason of the last record that could not be parsed. ``sightings_capped``: entities and relations of a batch that
    were left out because it had too many of them.
    """

    source_id: str
    dataset: str
    day: str
    layer: Layer
    unit: str
    realm: Realm
    events: int
    raw_bytes: int
    unparsed: int = 0
    truncated: int = 0
    time_flagged: int = 0
    quarantined: int = 0
    findings: int = 0
    last_received: int = 0
    lag_max_s: float = 0.0
    last_problem: str = ""
    sightings_capped: int = 0


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """Findings of one rule and alert key that were counted, not kept (风暴); the outcome has at least one of the key
    that was kept. ``first_seen`` and ``last_seen`` are event times."""

    rule_id: str
    key: str
    count: int
    first_seen: int
    last_seen: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one batch came to; ``snapshot`` names the rules that decided it.

    ``findings`` are the first ``KEPT`` of each rule and the first of each alert key, ``storms`` count the others.
    ``reference`` names the reference data (zones) by which its events got their unit; empty: none, the source's unit.
    ``correlations`` are those that ``partials`` belong to and all that build on them; ``cards`` has their cards and
    those of their base rules too.
    ``indicators`` names the set of indicators that its events were compared with; empty: none.
    """

    offset: int
    received: int
    snapshot: str
    findings: list[Finding]
    cards: dict[str, RuleCard]
    stats: list[Stat]
    blocks: list[RowBlock]
    storms: list[Storm] = []
    sightings: list[Sighting] = []
    reference: str = ""
    partials: list[Partial] = []
    correlations: dict[str, Correlation] = {}
    indicators: str = ""
