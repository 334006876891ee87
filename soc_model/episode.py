"""Episodes: what a correlation rule found, one finding for one spell in which its condition held of one group."""

from typing import NamedTuple

import msgspec

from soc_model.correlation import Correlation
from soc_model.finding import Finding
from soc_model.layer import Layer, Level, Realm


class Sample(NamedTuple):
    """One base event of an episode: when, which event, by which rule.

    Where the rule is itself a correlation, ``event_id`` is the finding id of its episode.
    """

    at: int
    event_id: str
    rule_id: str


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A maximal run of overlapping windows in which the condition of one rule held of one group (关联事件段).

    ``count``: its base events, exactly; ``counts`` the same by base rule. ``figure``: what the condition is about, over
    all of them (for ``event_count`` the same as ``count``); ``approximate`` when a sketch had a part in it. ``start``
    and ``last``: times of its first and last base event; ``held``: when the condition first held, to the second.
    ``definition`` is the rule as it was then; ``titles``: rule id -> title and Chinese title, of the rules known.
    ``chained`` are the base rules that are correlations themselves. ``raises_alert`` is false where it is only an event
    of another correlation.
    """

    finding_id: str
    rule_id: str
    key: str
    group: dict[str, str]
    level: Level
    layer: Layer
    unit: str
    realm: Realm
    source_id: str
    start: int
    held: int
    last: int
    count: int
    counts: dict[str, int]
    figure: float
    approximate: bool
    samples: list[Sample]
    definition: Correlation
    titles: dict[str, tuple[str, str]] = {}
    chained: tuple[str, ...] = ()
    entities: dict[str, list[str]] = {}
    raises_alert: bool = True
    received: int = 0
    offset: int = 0

    @property
    def example(self) -> str:
        """The event id of its first sample that is an event; empty where all are episodes of other correlations."""
        return next((one.event_id for one in self.samples if one.rule_id not in self.chained), "")

    def finding(self) -> Finding:
        """The episode as any other finding: at its start, with its first base event as the example."""
        figures = {"count": str(self.count), self.definition.type.value: f"{self.figure:g}"}
        return Finding(
            finding_id=self.finding_id,
            rule_id=self.rule_id,
            event_id=self.example,
            key=self.key,
            group=self.group,
            level=self.level,
            layer=self.layer,
            unit=self.unit,
            realm=self.realm,
            source_id=self.source_id,
            at=self.start,
            received=self.received,
            offset=self.offset,
            entities={name: values[0] for name, values in self.entities.items() if values},
            matched=figures,
        )
