"""Makes sightings, and folds them as the job does but without a store."""

from collections.abc import Sequence
from typing import Any

from risk_assessment.fold import fold
from risk_assessment.room import EVER, Room
from soc_model.asset import Changes, Known
from soc_model.layer import Layer, Realm
from soc_model.sighting import EntityKind, Relation, Sighting

WIDE = dict.fromkeys(EVER, 1_000_000)


def sighting(kind: str = "host", value: str = "web-01", **more: Any) -> Sighting:
    known: dict[str, Any] = {"unit": "u1", "realm": Realm.LIVE, "layer": Layer.HOST, "source_id": "s1"}
    known |= {"first": 10, "last": 20, "count": 1}
    return Sighting(kind=EntityKind(kind), value=value, **known | more)


def linked(kind: str, value: str, relation: str, kind2: str, value2: str, **more: Any) -> Sighting:
    ends = {"relation": Relation(relation), "kind2": EntityKind(kind2), "value2": value2}
    return sighting(kind, value, **ends | more)


def room(run: int = 1_000_000, **most: int) -> Room:
    return Room({}, run=run, most={**WIDE, **most})


def folded(*slices: Sequence[Sighting]) -> Known:
    """What is known after the slices were folded one after the other."""
    known = Known({}, {})
    for one in slices:
        known = after(known, fold(one, known, room()))
    return known


def after(known: Known, changes: Changes) -> Known:
    return Known({**known.assets, **changes.assets}, {**known.links, **changes.links})
