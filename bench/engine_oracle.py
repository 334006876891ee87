"""The naive oracle on a sample of a lane: what a direct reading of the specification costs, and whether it agrees.

Comes in: a lane and how many of its events. Goes out: events a CPU second, and the hits of both. Reading the rules for
it is not counted, as with the engines.
"""

import time
from pathlib import Path
from typing import Any

import msgspec

from bench.engine_lane import FORMATS, Lane
from bench.engine_ours import context_of
from collectors.format import load_format
from detection_rules.library import read_documents
from detection_rules.snapshot import Snapshot
from soc_model.event import EventGroup
from soc_model.source import Logsource
from tests.detection.oracle import Oracle


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What the oracle did; ``disagreements`` are (event, rule) pairs that only one of the two has."""

    events: int
    rules: int
    events_per_cpu_s: float
    hits: int
    disagreements: int


class OracleSample:
    """Every rule that our engine loads, as the oracle reads it."""

    def __init__(self, rules: Path, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        documents = {str(document.data.get("id")): document.data for document in read_documents([rules]).documents}
        # Rules that wait for a list of the site are not compared: what an empty list means is a choice of ours.
        asked = [rule.card.id for rule in snapshot.rules if rule.card.id in documents and not rule.needs]
        self._oracles = [Oracle(documents[one]) for one in asked]
        self._ids, self._compared = asked, frozenset(asked)

    def measure(self, lane: Lane, most: int) -> Sampled:
        """The oracle on ``most`` events from all over the lane."""
        groups = list(_sample(lane, most))
        ours = {(at, i, rule) for at, group in enumerate(groups) for i, rule in self._found(group)}
        began = time.process_time()
        theirs = {(at, i, rule) for at, group in enumerate(groups) for i, rule in self._asked(group)}
        spent = time.process_time() - began
        events = sum(map(len, groups))
        return Sampled(
            events=events,
            rules=len(self._oracles),
            events_per_cpu_s=round(events / spent, 1),
            hits=len(theirs),
            disagreements=len(ours ^ theirs),
        )

    def _found(self, group: EventGroup) -> list[tuple[int, str]]:
        found = self._snapshot.engine.match(group)
        pairs = ((i, self._snapshot.rules[rule].card.id) for i, rules in enumerate(found) for rule in rules)
        return [(i, rule) for i, rule in pairs if rule in self._compared]

    def _asked(self, group: EventGroup) -> list[tuple[int, str]]:
        constants = dict(group.type.constants)
        return [
            (i, rule)
            for i, fields in enumerate(group.fields)
            for oracle, rule in zip(self._oracles, self._ids, strict=True)
            if _fires(oracle, group.type.logsource, {**fields, **constants})
        ]


def _fires(oracle: Oracle, logsource: Logsource, fields: dict[str, Any]) -> bool:
    return bool(oracle.fires(logsource, fields))


def _sample(lane: Lane, most: int) -> list[EventGroup]:
    """Events from all over the files of a lane, as rules see them."""
    found = []
    for part in lane.parts:
        lines = Path(part.path).read_bytes().splitlines()
        some = lines[:: max(1, len(lines) // most)][:most]
        found += load_format(part.format, (FORMATS,)).parse(some, context_of(part), lambda kind: None)
    return found
