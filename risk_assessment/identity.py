"""What makes two sightings one asset.

Only within one unit and realm, and only by value:

- host: the first label of the name, lower case, so that ``WEB-01`` and ``web-01.city.example`` are one. Two machines of
  one unit that share a first label become one asset; its names show both.
- user: the whole name, lower case, with its domain. Local accounts of one name on many hosts of a unit are one asset;
  its links tell on which hosts.
- address, service: as ``ipaddress`` writes it. A host whose name is an address is that address. An address stays an
  asset of its own; only a format that declares it ties it to a host, and the latest declaration holds, because
  addresses are given out anew (DHCP).
- Loopback, link-local, multicast and unspecified addresses name nothing. A global address is external.
"""

from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from soc_model.asset import AssetKind
from soc_model.layer import Realm
from soc_model.sighting import EntityKind, service_value

_NO_HOSTS = frozenset({"localhost", "localhost6", "ip6-localhost", "unknown", "null", "none"})


class Identity(NamedTuple):
    """What an entity is: its kind as an asset, and what is equal for equal ones. ``address`` where it has one."""

    kind: AssetKind
    key: str
    address: str = ""


@lru_cache(maxsize=16_384)
def identify(kind: EntityKind, value: str) -> Identity | None:
    """The identity behind a sighted value; ``None`` where it names nothing that could be an asset."""
    match kind:
        case EntityKind.HOST:
            return _host(value)
        case EntityKind.USER:
            return Identity(AssetKind.USER, value.lower()) if value else None
        case EntityKind.ADDRESS:
            return _address(value)
        case EntityKind.SERVICE:
            return _service(value)
        case EntityKind.DOMAIN:
            name = value.lower().strip(".")
            return Identity(AssetKind.DOMAIN, name) if name and _parsed(name) is None else None


def asset_id(unit: str, realm: Realm, identity: Identity) -> str:
    """128 bits over unit, realm, kind and identity, as hex."""
    parts = (unit, realm.value, identity.kind.value, identity.key)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _host(value: str) -> Identity | None:
    if _parsed(value) is not None:
        return _address(value)
    label = value.lower().partition(".")[0]
    return Identity(AssetKind.HOST, label) if label and label not in _NO_HOSTS else None


def _address(value: str) -> Identity | None:
    address = _parsed(value)
    if address is None or address.is_loopback or address.is_unspecified or address.is_multicast:
        return None
    if address.is_link_local or str(address) == "255.255.255.255":
        return None
    kind = AssetKind.EXTERNAL if address.is_global else AssetKind.ADDRESS
    return Identity(kind, str(address), str(address))


def _service(value: str) -> Identity | None:
    """A service, or of an external one only its address: what others offer is not counted port by port."""
    text, _, port = value.rpartition(":")
    found = _address(text.removeprefix("[").removesuffix("]"))
    if found is None or found.kind is AssetKind.EXTERNAL or not (port.isascii() and port.isdecimal()):
        return found
    return Identity(AssetKind.SERVICE, service_value(found.key, int(port)), found.address)


def _parsed(value: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(value.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
