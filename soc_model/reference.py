"""Reference data: which zone an address or a host name lies in, and so which unit an event belongs to.

Immutable and content-addressed: every outcome names the one that decided it. Assets, once imported, are more of the
same: single addresses and exact host names with their unit, which the more specific answer puts before any zone.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import TypeVar

import msgspec

K = TypeVar("K")
NAME_CHARS = 255  # of a host name (RFC 1123); what is longer is none
CACHE_VALUES = 50_000


class Zone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named part (区域) of the city's networks that belongs to one unit.

    ``networks`` are CIDR; ``hosts`` host names, exact or with one ``*`` at the beginning or at the end.
    """

    name: str
    unit: str
    networks: Sequence[str] = ()
    hosts: Sequence[str] = ()


class Reference:
    """Zones, ready to be asked: of all that fit, the most specific one answers.

    Longer network before shorter; exact host name before the longest ending, before the longest beginning.
    Nothing here depends on how many zones there are; answers are kept by value, at most ``CACHE_VALUES`` of them.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        """``ValueError`` for what is not a network or a pattern, or stands in two zones; the text names it."""
        self.zones = tuple(zones)
        self.id = _content_id(self.zones)
        self._networks: dict[tuple[int, int, int], str] = {}  # version, prefix length, address shifted by the rest
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        self._names: dict[tuple[str, str], str] = {}  # where the star is, the rest
        self._sizes: dict[str, list[int]] = {"first": [], "last": []}
        self._cache: dict[str, str | None] = {}
        for zone in self.zones:
            for text in zone.networks:
                self._add_network(text, zone.unit)
            for text in zone.hosts:
                self._add_name(text, zone.unit)

    def unit_of(self, value: str) -> str | None:
        """The unit of an address or a host name; None where no zone holds it."""
        if len(value) > NAME_CHARS:
            return None
        try:
            return self._cache[value]
        except KeyError:
            if len(self._cache) >= CACHE_VALUES:
                self._cache.clear()
            found = self._cache[value] = self._find(value)
            return found

    def _find(self, value: str) -> str | None:
        try:
            address = ip_address(value.strip("[]"))
        except ValueError:
            return self._find_name(value.casefold().rstrip("."))
        mapped = getattr(address, "ipv4_mapped", None) or address
        number, bits = int(mapped), mapped.max_prefixlen
        for length in self._lengths[mapped.version]:
            unit = self._networks.get((mapped.version, length, number >> (bits - length)))
            if unit is not None:
                return unit
        return None

    def _find_name(self, name: str) -> str | None:
        exact = self._names.get(("", name))
        if exact is not None:
            return exact
        for star, sizes in self._sizes.items():
            for size in sizes:
                unit = self._names.get((star, name[-size:] if star == "first" else name[:size]))
                if unit is not None and len(name) >= size:
                    return unit
        return None

    def _add_network(self, text: str, unit: str) -> None:
        network = ip_network(text)
        rest = network.max_prefixlen - network.prefixlen
        key = (network.version, network.prefixlen, int(network.network_address) >> rest)
        _put(self._networks, key, unit, text)
        _grow(self._lengths[network.version], network.prefixlen)

    def _add_name(self, text: str, unit: str) -> None:
        name = text.casefold().rstrip(".")
        star = "first" if name.startswith("*") else "last" if name.endswith("*") else ""
        rest = name[1:] if star == "first" else name[:-1] if star == "last" else name
        if not rest or "*" in rest:
            raise ValueError(f"{text!r}: a host name, with one * at its beginning or end at most")
        _put(self._names, (star, rest), unit, text)
        if star:
            _grow(self._sizes[star], len(rest))


def encode_zones(reference: Reference) -> bytes:
    """The content of a reference, for the way to another process or to the disk."""
    return msgspec.json.encode(reference.zones)


def decode_zones(text: bytes) -> list[Zone]:
    """What was encoded; ``ValueError`` for anything else."""
    return msgspec.json.decode(text, type=list[Zone])


def _put(into: dict[K, str], key: K, unit: str, text: str) -> None:
    if key in into:
        raise ValueError(f"{text!r} stands there twice")
    into[key] = unit


def _grow(sizes: list[int], size: int) -> None:
    if size not in sizes:
        sizes.append(size)
        sizes.sort(reverse=True)


def _content_id(zones: Iterable[Zone]) -> str:
    """Empty for no zones at all; the names of zones are part of it, their order is not."""
    lines = sorted(msgspec.json.encode(zone) for zone in zones)
    return sha256(b"reference 1\n" + b"\n".join(lines)).hexdigest()[:32] if lines else ""


#: No zones: every event has the unit of its source.
NO_REFERENCE = Reference(())
