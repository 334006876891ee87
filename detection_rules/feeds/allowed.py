"""What is never an indicator here: the city's own names and networks, one a line in a file that people keep.

``#`` begins a comment. A name stands for itself, all below it and what is above it; a network for all its addresses.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from soc_model.observable import domain_of, email_of
from soc_model.problem import Problem

Network = IPv4Network | IPv6Network


class Allowed:
    """The names and networks of one file."""

    def __init__(self, names: frozenset[str], networks: tuple[Network, ...]) -> None:
        self._names, self._networks = names, networks
        self._above = {
            name.split(".", at)[at] for name in names if "@" not in name for at in range(1, name.count(".") + 1)
        }

    def has_name(self, name: str) -> bool:
        """Whether a name is one of ours, below one, or above one."""
        labels = name.split(".")
        return name in self._above or any(".".join(labels[at:]) in self._names for at in range(len(labels)))

    def has_email(self, address: str) -> bool:
        """Whether an e-mail address stands there itself."""
        return address in self._names

    def has_network(self, network: Network) -> bool:
        """Whether a network has an address in common with ours."""
        return any(one.version == network.version and one.overlaps(network) for one in self._networks)


def read_allowed(path: Path) -> Allowed:
    """The file's content; no file is nothing. ``Problem`` with its line for what is neither name nor network."""
    names, networks = set(), []
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(str(path), f"cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            name = email_of(text) if "@" in text else domain_of(text)
            if "." not in name or "/" in name:
                raise Problem(f"{path}:{number}", f"{text[:80]!r} is no name and no network: {error}") from error
            names.add(name)
    return Allowed(frozenset(names), tuple(networks))
