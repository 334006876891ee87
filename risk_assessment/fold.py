"""Sightings folded into assets and links. Pure; the order of sightings, and how they are cut into slices, do not matter
as long as there is room for all.

Comes in: sightings, what is known of the assets they speak of, and the room for new ones. Goes out: those assets and
links as they are afterwards. People's columns are passed through as they were.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from risk_assessment.identity import Identity, asset_id, identify
from risk_assessment.room import LINK
from soc_model.asset import KEPT, Asset, AssetKind, AssetLink, Bucket, Changes, Known, LinkKey
from soc_model.sighting import Relation, Sighting


class Roomy(Protocol):
    """How many more of a bucket may be made."""

    def left(self, bucket: Bucket) -> int: ...


class _End(NamedTuple):
    """One end of a sighting: an entity that could be an asset."""

    id: str
    identity: Identity
    value: str


def spoken_of(sightings: Iterable[Sighting]) -> tuple[set[str], set[LinkKey]]:
    """The ids of the assets and the keys of the links that the sightings speak of: what must be known to fold them."""
    ids: set[str] = set()
    keys: set[LinkKey] = set()
    for sighting in sightings:
        ends = _ends(sighting)
        ids.update(end.id for end in ends)
        if (key := _link_key(sighting, ends)) is not None:
            keys.add(key)
    return ids, keys


def fold(sightings: Iterable[Sighting], known: Known, room: Roomy) -> Changes:
    """The assets and links that the sightings change, as they are afterwards."""
    folding = _Folding(known, room)
    for sighting in sightings:
        folding.add(sighting)
    return Changes(folding.assets, folding.links, folding.made, folding.makers, folding.capped)


class _Folding:
    """What has been folded so far."""

    def __init__(self, known: Known, room: Roomy) -> None:
        self._known, self._room = known, room
        self.assets: dict[str, Asset] = {}
        self.links: dict[LinkKey, AssetLink] = {}
        self.made: Counter[Bucket] = Counter()
        self.makers: dict[str, str] = {}
        self.capped: Counter[str] = Counter()

    def add(self, sighting: Sighting) -> None:
        ends = _ends(sighting)
        # Who declares a host's address names the host, and often the address, in the same record: counted there.
        count = 0 if sighting.relation is Relation.IS else sighting.count
        there = [self._see(end, sighting, count) for end in ends]
        key = _link_key(sighting, ends)
        if key is None or not all(there) or not self._link(key, sighting):
            return
        if key.relation is Relation.IS:
            self._tie(key, ends[0].identity.address, sighting.last)

    def _see(self, end: _End, sighting: Sighting, count: int) -> bool:
        """Whether the asset is there, with this sighting in it."""
        asset = self.assets.get(end.id) or self._known.assets.get(end.id)
        if asset is None:
            if not self._takes(Bucket(sighting.source_id, end.identity.kind)):
                return False
            self.makers[end.id] = sighting.source_id
            asset = _made(end, sighting, count)
        else:
            asset = _widened(asset, end, sighting, count)
        self.assets[end.id] = asset
        return True

    def _link(self, key: LinkKey, sighting: Sighting) -> bool:
        link = self.links.get(key) or self._known.links.get(key)
        if link is None:
            if not self._takes(Bucket(sighting.source_id, LINK)):
                return False
            self.links[key] = AssetLink(
                from_id=key.from_id,
                to_id=key.to_id,
                relation=key.relation,
                first_seen=sighting.first,
                last_seen=sighting.last,
                count=sighting.count,
            )
        else:
            self.links[key] = msgspec.structs.replace(
                link,
                first_seen=min(link.first_seen, sighting.first),
                last_seen=max(link.last_seen, sighting.last),
                count=link.count + sighting.count,
            )
        return True

    def _takes(self, bucket: Bucket) -> bool:
        """Whether there is room for one more, which is then taken."""
        if self.made[bucket] >= self._room.left(bucket):
            self.capped[bucket.source_id] += 1
            return False
        self.made[bucket] += 1
        return True

    def _tie(self, key: LinkKey, address: str, at: int) -> None:
        """A format declares the address to be the host's own: the latest declaration holds."""
        own, host = self.assets[key.from_id], self.assets[key.to_id]
        at_host = max((own.host_at, own.host_id), (at, key.to_id))
        self.assets[key.from_id] = msgspec.structs.replace(own, host_at=at_host[0], host_id=at_host[1])
        self.assets[key.to_id] = msgspec.structs.replace(host, addresses=_newest(host.addresses, address, at))


def _ends(sighting: Sighting) -> Sequence[_End]:
    return list(_each_end(sighting))


def _each_end(sighting: Sighting) -> Iterator[_End]:
    seen = ""
    for kind, value in ((sighting.kind, sighting.value), (sighting.kind2, sighting.value2)):
        identity = identify(kind, value) if kind is not None else None
        if identity is not None and (own := asset_id(sighting.unit, sighting.realm, identity)) != seen:
            seen = own
            yield _End(own, identity, value)


def _link_key(sighting: Sighting, ends: Sequence[_End]) -> LinkKey | None:
    """The link a sighting makes; none unless both of its ends could be assets."""
    if sighting.relation is None or len(ends) != 2:
        return None
    if sighting.relation is Relation.IS and ends[1].identity.kind is not AssetKind.HOST:
        return None
    return LinkKey(ends[0].id, ends[1].id, sighting.relation)


def _made(end: _End, sighting: Sighting, count: int) -> Asset:
    names = {_name(end): sighting.last}
    return Asset(
        id=end.id,
        unit=sighting.unit,
        realm=sighting.realm,
        kind=end.identity.kind,
        name=next(iter(names)),
        first_seen=sighting.first,
        last_seen=sighting.last,
        count=count,
        names=names,
        addresses={end.identity.address: sighting.last} if end.identity.address else {},
        sources={sighting.source_id: sighting.last},
        layers=(sighting.layer,),
    )


def _widened(asset: Asset, end: _End, sighting: Sighting, count: int) -> Asset:
    address = end.identity.address
    names = _newest(asset.names, _name(end), sighting.last)
    return msgspec.structs.replace(
        asset,
        name=next(iter(names)),
        first_seen=min(asset.first_seen, sighting.first),
        last_seen=max(asset.last_seen, sighting.last),
        count=asset.count + count,
        names=names,
        addresses=_newest(asset.addresses, address, sighting.last) if address else asset.addresses,
        sources=_newest(asset.sources, sighting.source_id, sighting.last),
        layers=asset.layers if sighting.layer in asset.layers else tuple(sorted({*asset.layers, sighting.layer})),
    )


def _name(end: _End) -> str:
    """What people call it: as the record wrote it, an address or service as ``ipaddress`` writes it."""
    return end.identity.key if end.identity.address else end.value


def _newest(known: dict[str, int], value: str, at: int) -> dict[str, int]:
    """``known`` with one more value: the ``KEPT`` seen last, the latest first. Whatever the order of adding, those."""
    if known.get(value, -1) >= at:
        return known
    united = sorted(((last, name) for name, last in {**known, value: at}.items()), reverse=True)
    return {name: last for last, name in united[:KEPT]}
