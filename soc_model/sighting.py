"""What was seen in a batch besides events: hosts, users, addresses, services and domains, and what ties two of them.

A sighting says only that a source wrote these values into one record, and when; what it means for the assets of a unit
is decided in ``risk_assessment``. Values are others' text, as they stood in the record but bounded in length.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from soc_model.layer import Layer, Realm


class EntityKind(StrEnum):
    """What a value names."""

    HOST = "host"  # 主机
    USER = "user"  # 账号
    ADDRESS = "address"  # 地址
    SERVICE = "service"  # 服务: address and port, ``10.0.0.1:443`` or ``[fd00::1]:443``
    DOMAIN = "domain"  # 域名


class Relation(StrEnum):
    """What one record says of two entities, from the first to the second."""

    SEEN_ON = "seen_on"  # 见于: the record of a host names a user, also one whose login failed
    CONNECTED = "connected"  # 连接: an address spoke to a service
    IS = "is"  # 即: the record's format declares this address to be its host's own


class SightingKey(NamedTuple):
    """What makes two sightings one: everything but when and how often."""

    kind: EntityKind
    value: str
    unit: str
    realm: Realm
    layer: Layer
    source_id: str
    relation: Relation | None
    kind2: EntityKind | None
    value2: str


class Sighting(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An entity, or two and their relation, in ``count`` events of one source; a relation sights both its ends.

    ``first`` and ``last`` are event times where they were believed, else times received (µs).
    """

    kind: EntityKind
    value: str
    unit: str
    realm: Realm
    layer: Layer
    source_id: str
    first: int
    last: int
    count: int
    relation: Relation | None = None
    kind2: EntityKind | None = None
    value2: str = ""

    @property
    def key(self) -> SightingKey:
        """What it is a sighting of."""
        return SightingKey(
            self.kind,
            self.value,
            self.unit,
            self.realm,
            self.layer,
            self.source_id,
            self.relation,
            self.kind2,
            self.value2,
        )

    def with_more(self, other: "Sighting") -> "Sighting":
        """This sighting and another of the same key as one."""
        return msgspec.structs.replace(
            self,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            count=self.count + other.count,
        )


def service_value(address: str, port: int) -> str:
    """The value of a service: address and port, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
