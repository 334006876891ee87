"""What a reader asks of the assets, and what it gets: filters, pages, links and counts."""

import msgspec

from soc_model.asset import Asset, AssetKind, AssetState
from soc_model.layer import Layer, Realm
from soc_model.sighting import Relation


class AssetFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which assets; empty means all. ``text`` is a part of a name or address.

    An address that a host is known to have is shown under its host only, unless ``of_hosts``.
    """

    kinds: tuple[AssetKind, ...] = ()
    states: tuple[AssetState, ...] = ()
    layers: tuple[Layer, ...] = ()
    realms: tuple[Realm, ...] = ()
    units: tuple[str, ...] = ()
    text: str = ""
    of_hosts: bool = False


class AssetPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some assets, the one seen last first; ``cursor`` asks for those after, ``None`` when there are none."""

    assets: list[Asset]
    cursor: str | None


class AssetCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many assets there are under a filter; only values that occur are named."""

    total: int
    by_kind: dict[AssetKind, int]
    by_realm: dict[Realm, int]


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """The other end of one of an asset's links; ``outward`` when the relation goes from the asset to it."""

    asset: Asset
    relation: Relation
    outward: bool
    first_seen: int
    last_seen: int
    count: int


class AssetDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One asset with the links seen last; ``links_total`` is how many it has."""

    asset: Asset
    links: list[Neighbour]
    links_total: int


class FoldCursor(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The last row of a partition's sightings that is folded: rows are in the order of offset and id."""

    offset: int = 0
    sighting_id: str = ""
