"""Assets (资产): what a unit has, as its records show it and as people describe it; and the links between them.

An asset has two kinds of columns. The machine's come from sightings and only ever widen; people's (``Described``) are
set by people and never touched by the machine.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from soc_model.layer import Layer, Realm
from soc_model.sighting import Relation

KEPT = 8  # names, addresses and sources of one asset: those seen last


class AssetKind(StrEnum):
    """What an asset is. An external address is not the unit's own; it is kept for what it was linked to."""

    HOST = "host"  # 主机
    USER = "user"  # 账号
    ADDRESS = "address"  # 地址, of a private range
    SERVICE = "service"  # 服务, on an address of a private range
    DOMAIN = "domain"  # 域名
    EXTERNAL = "external"  # 外部地址


class AssetState(StrEnum):
    """What people say of an asset; the machine only ever discovers."""

    DISCOVERED = "discovered"  # 已发现
    CONFIRMED = "confirmed"  # 已确认
    RETIRED = "retired"  # 已退役


class AssetClass(StrEnum):
    """The class of an asset (资产类别), for people to choose; empty where nobody has."""

    NONE = ""
    SERVER = "server"  # 服务器
    WORKSTATION = "workstation"  # 办公终端
    NETWORK_DEVICE = "network_device"  # 网络设备
    SECURITY_DEVICE = "security_device"  # 安全设备
    DATABASE = "database"  # 数据库
    APPLICATION = "application"  # 应用系统
    CLOUD = "cloud"  # 云平台
    IOT = "iot"  # 物联网设备
    OTHER = "other"  # 其他


class Importance(StrEnum):
    """How important an asset is (资产重要性, the five degrees of GB/T 20984); empty where nobody has said."""

    NONE = ""
    VERY_HIGH = "very_high"  # 很高
    HIGH = "high"  # 高
    MEDIUM = "medium"  # 中等
    LOW = "low"  # 低
    VERY_LOW = "very_low"  # 很低


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """People's columns. ``mlps_object`` names the MLPS 2.0 object (等级保护对象) that the asset is part of."""

    state: AssetState = AssetState.DISCOVERED
    owner: str = ""
    asset_class: AssetClass = AssetClass.NONE
    importance: Importance = Importance.NONE
    mlps_object: str = ""
    note: str = ""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One asset of one unit and realm.

    ``id`` follows from unit, realm, kind and identity. ``names``, ``addresses`` and ``sources`` give when each
    was last seen; ``name`` is the name seen last. ``count`` counts events that name it. ``host_id``: of an address the
    host that a format last declared it to be the own address of (at ``host_at``), empty where none did.
    """

    id: str
    unit: str
    realm: Realm
    kind: AssetKind
    name: str
    first_seen: int
    last_seen: int
    count: int
    names: dict[str, int]
    addresses: dict[str, int]
    sources: dict[str, int]
    layers: tuple[Layer, ...]
    host_id: str = ""
    host_at: int = 0
    described: Described = Described()
    changed: int = 0
    changed_by: str = ""

    @property
    def back_from_retirement(self) -> bool:
        """Whether it was seen again after people said it is retired."""
        return self.described.state is AssetState.RETIRED and self.last_seen > self.changed


class LinkKey(NamedTuple):
    """What makes two links one."""

    from_id: str
    to_id: str
    relation: Relation


class AssetLink(msgspec.Struct, frozen=True, kw_only=True):
    """What ties two assets of one unit and realm, and when it did."""

    from_id: str
    to_id: str
    relation: Relation
    first_seen: int
    last_seen: int
    count: int


class Bucket(NamedTuple):
    """What new assets are counted by: the source that brought them and their kind, or ``link``."""

    source_id: str
    kind: str


class Known(NamedTuple):
    """What is kept already of the assets and links that some sightings speak of."""

    assets: Mapping[str, Asset]
    links: Mapping[LinkKey, AssetLink]


class Changes(NamedTuple):
    """Assets and links as they are after some sightings; of people's columns nothing is to be written.

    ``made``: how many of them are new. ``makers``: which source brought a new asset. ``capped``: how many were left
    out, by source, because it had no room.
    """

    assets: Mapping[str, Asset]
    links: Mapping[LinkKey, AssetLink]
    made: Mapping[Bucket, int]
    makers: Mapping[str, str]
    capped: Mapping[str, int]
