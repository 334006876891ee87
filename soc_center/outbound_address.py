"""Which addresses the center may connect to: denied always, by allow-list only, or open.

Comes in: a host name, one of its addresses, a port. Goes out: why not, or the empty string. The one thing to know: an
address that carries another one (IPv4-mapped, 6to4, NAT64, Teredo) is judged by both, so no spelling is a way in.
"""

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
#: Why an address may not be connected to; empty: it may. Takes the host's name, the address and the port.
Judge = Callable[[str, Address, int], str]

#: Where clouds hand out credentials to whoever asks from inside.
METADATA: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "169.254.0.0/16",  # AWS, Azure, Google, OpenStack, Tencent
        "fd00:ec2::/32",  # AWS over IPv6
        "fd20:ce::/32",  # Google over IPv6
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.192/32",  # Oracle
    )
)
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")
_BROADCAST = ipaddress.ip_address("255.255.255.255")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """Networks and host names in private ranges that an administrator has opened."""

    networks: tuple[Network, ...]
    hosts: frozenset[str]

    def holds(self, host: str, address: Address) -> bool:
        """Whether the host's name, or a network around the address, is on the list."""
        return host.lower().rstrip(".") in self.hosts or any(
            address in network for network in self.networks if network.version == address.version
        )


def read_allowed(entries: Sequence[str]) -> AllowList:
    """The list in the settings: networks as CIDR (or one address), else host names; ValueError for neither."""
    networks, hosts = [], set()
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry))
        except ValueError:
            if "/" in entry or not _is_host(entry):
                raise
            hosts.add(entry.lower().rstrip("."))
    return AllowList(networks=tuple(networks), hosts=frozenset(hosts))


def _is_host(entry: str) -> bool:
    plain = entry.replace("-", "").replace(".", "")
    return bool(plain) and plain.isalnum() and plain.isascii() and not plain.isdigit()


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterJudge:
    """The judge of a center that works: what it says cannot be loosened but for private ranges, by the allow-list."""

    allowed: AllowList
    own_ports: frozenset[int]

    def __call__(self, host: str, address: Address, port: int) -> str:
        """Why not; empty where the address, and all it carries, may be connected to."""
        return next((why for each in carried(address) if (why := self._why_not(host, each, port))), "")

    def _why_not(self, host: str, address: Address, port: int) -> str:
        if why := denied_always(address):
            return why
        if port in self.own_ports and is_this_machine(address):
            return f"port {port} of this machine is the center's own"
        if not address.is_global and not self.allowed.holds(host, address):
            return f"{address} is not on the public internet, and outbound.allow does not name it"
        return ""


def denied_always(address: Address) -> str:
    """Why nobody's settings open this address; empty where they may."""
    kinds = {
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "unspecified": address.is_unspecified or (address.version == 4 and address.packed[0] == 0),
        "the broadcast address": address == _BROADCAST,
        "where clouds keep credentials": any(address in net for net in METADATA if net.version == address.version),
        "reserved": address.version == 4 and address.is_reserved,
    }
    return next((f"{address} is {kind}" for kind, holds in kinds.items() if holds), "")


def carried(address: Address) -> Iterator[Address]:
    """The address, without its zone, and every address that it carries."""
    plain = ipaddress.ip_address(int(address)) if address.version == 4 else IPv6Address(int(address))
    yield plain
    if isinstance(plain, IPv6Address):
        yield from _carried(plain)


def _carried(address: IPv6Address) -> Iterator[Address]:
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    isatap = (int(address) >> 32) & 0xFFFF_FFFF in (0x0000_5EFE, 0x0200_5EFE)
    if isatap or any(address in net for net in _NAT64) or (address in _COMPATIBLE and int(address) > 0xFFFF):
        yield low


def is_this_machine(address: Address) -> bool:
    """Whether an interface of this machine has the address, which is so when a socket can be bound to it."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True
