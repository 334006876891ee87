"""An entry of a feed to an indicator: refanged, in canonical form, and refused where it would match too much."""

import re
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path

import yaml

from detection_rules.feeds.allowed import Allowed
from detection_rules.feeds.entry import Entry, Refused
from soc_model.indicator import DAY_US, HASH_DIGITS, Indicator, IndicatorKind
from soc_model.observable import URL_CHARS, address_of, address_text, domain_of, email_of, hash_of, host_of, url_of

LABEL_CHARS = 100
REFERENCE_CHARS = 500
SHORTEST = {4: 8, 6: 19}  # prefix lengths: the largest blocks that registries give out
_KINDS: dict[str, IndicatorKind | None] = {
    "": None,
    "ip": IndicatorKind.ADDRESS,
    "ipv4": IndicatorKind.ADDRESS,
    "ipv6": IndicatorKind.ADDRESS,
    "cidr": IndicatorKind.NETWORK,
    "hostname": IndicatorKind.DOMAIN,
    "sha-1": IndicatorKind.SHA1,
    "sha-256": IndicatorKind.SHA256,
    "e-mail": IndicatorKind.EMAIL,
    **{kind.value: kind for kind in IndicatorKind},
}
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOT = re.compile(r"[\[({]\s*(?:\.|dot)\s*[\])}]|\\\.", re.I)
_AT = re.compile(r"[\[({]\s*(?:@|at)\s*[\])}]", re.I)
_COLON = re.compile(r"[\[({]\s*(://|:)\s*[\])}]")
_SCHEME = re.compile(r"^(?:h[tx*]{2}p|meow)(s?)(?=:)", re.I)
#: Of no content at all: every empty file has them.
_EMPTY = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
    }
)


class _Wrong(Exception):
    """Why a value is no indicator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """How the entries of one import become indicators: whose they are, and what holds where they do not say.

    ``days`` 0: what does not say when it ends has no end.
    """

    feed: str
    now: int
    allowed: Allowed
    confidence: int = 50
    days: int = 180

    def take(self, entry: Entry) -> Indicator | Refused:
        """The indicator, or why there is none."""
        try:
            return self._taken(entry)
        except _Wrong as wrong:
            return Refused(entry.place, str(wrong))

    def _taken(self, entry: Entry) -> Indicator:
        kind, value = canonical(entry.kind, entry.value, self.allowed)
        confidence = entry.confidence if entry.confidence >= 0 else self.confidence
        if confidence > 100:
            raise _Wrong(f"confidence {confidence} is over 100")
        until = entry.valid_until or (self.now + self.days * DAY_US if self.days else 0)
        if until and until <= self.now:
            raise _Wrong("it has ended already")
        return Indicator(
            kind=kind,
            value=value,
            feed=self.feed,
            confidence=confidence,
            valid_until=until,
            label=_plain(entry.label)[:LABEL_CHARS],
            reference=_plain(entry.reference)[:REFERENCE_CHARS],
        )


def canonical(kind: str, text: str, allowed: Allowed) -> tuple[IndicatorKind, str]:
    """The kind and the canonical form of a value; raises what ``Taking.take`` makes a refusal of."""
    if kind not in _KINDS:
        raise _Wrong(f"type {kind[:40]!r} is none that is looked up")
    value = refanged(text)
    if not value or len(value) > URL_CHARS or not value.isprintable():
        raise _Wrong(f"empty, longer than {URL_CHARS} characters or with characters that cannot be printed")
    known = _KINDS[kind] or kind_of(value)
    if known is None:
        raise _Wrong(f"{value[:80]!r} is no domain, URL, address, network, hash or e-mail address")
    if known in HASH_DIGITS:
        return known, _digest(known, value)
    if known in (IndicatorKind.ADDRESS, IndicatorKind.NETWORK):
        return _network(value, allowed)
    if known is IndicatorKind.DOMAIN:
        return known, _domain(value, allowed)
    return known, _url(value, allowed) if known is IndicatorKind.URL else _email(value, allowed)


def refanged(text: str) -> str:
    """The value as it was before somebody made it harmless to click on."""
    value = text.strip()
    if "[" in value or "(" in value or "{" in value or "\\" in value:
        value = _COLON.sub(r"\1", _AT.sub("@", _DOT.sub(".", value)))
    return _SCHEME.sub(r"http\1", value)


def kind_of(value: str) -> IndicatorKind | None:
    """What a value looks like."""
    if hash_of(value):
        return {32: IndicatorKind.MD5, 40: IndicatorKind.SHA1, 64: IndicatorKind.SHA256}[len(value)]
    if "://" in value:
        return IndicatorKind.URL
    base, slash, rest = value.partition("/")
    if address_of(base):
        return IndicatorKind.URL if slash and not rest.isdecimal() else IndicatorKind.ADDRESS
    if slash:
        return IndicatorKind.URL
    return IndicatorKind.EMAIL if "@" in value else IndicatorKind.DOMAIN if "." in value else None


def _digest(kind: IndicatorKind, value: str) -> str:
    digits = hash_of(value)
    if len(digits) != HASH_DIGITS[kind]:
        raise _Wrong(f"{value[:80]!r} is no {kind.value} hash of {HASH_DIGITS[kind]} hexadecimal digits")
    if digits in _EMPTY or len(set(digits)) == 1:
        raise _Wrong("it is the hash of nothing: every empty file has it")
    return digits


def _network(value: str, allowed: Allowed) -> tuple[IndicatorKind, str]:
    packed = address_of(value)
    if packed:
        value = address_text(packed)
    try:
        network = ip_network(value, strict=False)
    except ValueError as error:
        raise _Wrong(f"{value[:80]!r} is no address or network") from error
    if network.prefixlen < SHORTEST[network.version]:
        raise _Wrong(f"{network} is wider than /{SHORTEST[network.version]} and would match far too much")
    if not _is_public(str(network.network_address)) or not _is_public(str(network.broadcast_address)):
        raise _Wrong(f"{network} is private, local or reserved: nobody's but our own")
    if allowed.has_network(network):
        raise _Wrong(f"{network} is ours, as the allow-list says")
    if network.prefixlen == network.max_prefixlen:
        return IndicatorKind.ADDRESS, str(network.network_address)
    return IndicatorKind.NETWORK, str(network)


def _is_public(text: str) -> bool:
    address = ip_address(text)
    return not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def _domain(value: str, allowed: Allowed) -> str:
    name = domain_of(value.removeprefix("*").removeprefix("."))
    if address_of(name):
        raise _Wrong(f"{name} is an address, not a domain")
    if "." not in name:
        raise _Wrong(f"{value[:80]!r} is one label alone, as a TLD or localhost: it would match far too much")
    if not _NAME.fullmatch(name):
        raise _Wrong(f"{value[:80]!r} is no domain name")
    if name in public_suffixes():
        raise _Wrong(f"{name} is a name below which anybody may register: it would match far too much")
    if name.endswith((".localhost", ".local", ".localdomain", ".arpa", ".invalid")):
        raise _Wrong(f"{name} is no public name")
    if allowed.has_name(name):
        raise _Wrong(f"{name} is ours, as the allow-list says")
    return name


def _url(value: str, allowed: Allowed) -> str:
    found = url_of(value)
    if not found:
        raise _Wrong(f"{value[:80]!r} is no URL")
    host = host_of(found.partition("/")[0])
    if address_of(host):
        _network(host, allowed)
    else:
        _domain(host, allowed)
    return found


def _email(value: str, allowed: Allowed) -> str:
    found = email_of(value)
    local, _, host = found.rpartition("@")
    if not (_LOCAL.fullmatch(local) and _NAME.fullmatch(host)):
        raise _Wrong(f"{value[:80]!r} is no e-mail address")
    if allowed.has_email(found):
        raise _Wrong(f"{found} is ours, as the allow-list says")
    return found


def _plain(text: str) -> str:
    return "".join(each for each in text.strip() if each.isprintable())


@cache
def public_suffixes() -> frozenset[str]:
    """Our own list."""
    told = yaml.safe_load((Path(__file__).parent / "public_suffixes.yml").read_text("utf-8"))
    return frozenset(f"{name}.{top}" for top, names in told.items() for name in names)
