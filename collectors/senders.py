"""Whose message it is, told by the address it came from: the most exact network that a source names wins."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from soc_model.source import Source

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
REMEMBERED = 4096  # addresses: a flood with forged ones must not fill the memory


def networks_of(addresses: Iterable[str]) -> list[Network]:
    """Addresses and CIDRs as networks; ValueError names the one that is neither."""
    return [ipaddress.ip_network(address, strict=False) for address in addresses]


class Senders:
    """The sources that share one port; each names its senders under the setting ``from``."""

    def __init__(self, sources: Sequence[Source]) -> None:
        #: Whom a message that is nobody's is counted with.
        self.first = sources[0]
        every = [(network, source) for source in sources for network in networks_of(source.settings.get("from") or ())]
        self._networks = sorted(every, key=lambda pair: -pair[0].prefixlen)
        self.source_of = lru_cache(REMEMBERED)(self._source_of)

    def _source_of(self, address: str) -> Source | None:
        """The source that a sender's address belongs to; ``None`` when it is nobody's."""
        sender = ipaddress.ip_address(address)
        if isinstance(sender, ipaddress.IPv6Address) and sender.ipv4_mapped is not None:
            sender = sender.ipv4_mapped
        return next((source for network, source in self._networks if sender in network), None)
