"""What is wrong with the syslog sources of ``fengsui.yml`` beyond the types of their settings."""

from collections.abc import Iterator, Sequence

from collectors.listening import place_of
from collectors.senders import networks_of
from soc_model.source import Source, Trust

PROTOCOLS = ("udp", "tcp")


def wrong_syslog(sources: Sequence[Source]) -> Iterator[tuple[int, str, str]]:
    """Index of the source, field and what is wrong with it."""
    taken: dict[tuple[str, str, str], str] = {}
    for i, source in enumerate(sources):
        if source.transport != "syslog":
            continue
        yield from ((i, field, what) for field, what in _wrong(source))
        for key in _claims(source):
            if key in taken:
                yield i, "settings.from", f"{key[2]} at {key[0]} {key[1]} is claimed by {taken[key]!r} already"
            taken[key] = source.id


def _wrong(source: Source) -> Iterator[tuple[str, str]]:
    if source.trust is not Trust.NONE:
        yield "trust", "plain syslog proves nothing about its sender: trust must be none"
    if not any(source.settings.get(protocol) for protocol in PROTOCOLS):
        yield "settings", "a syslog source listens at udp, tcp or both"
    for protocol in PROTOCOLS:
        try:
            place_of(source.settings.get(protocol) or "any:0")
        except ValueError:
            yield f"settings.{protocol}", "must be host:port"
    try:
        networks_of(source.settings["from"])
    except ValueError as error:
        yield "settings.from", str(error)


def _claims(source: Source) -> Iterator[tuple[str, str, str]]:
    """Protocol, place and network for each sender of a source: two sources must not claim the same."""
    networks = {str(network) for network in networks_of(source.settings["from"])}
    for protocol in PROTOCOLS:
        if place := source.settings.get(protocol):
            yield from ((protocol, place, network) for network in sorted(networks))
