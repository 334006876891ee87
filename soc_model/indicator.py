"""Threat-intelligence indicators (威胁情报指标, IOC): a value that a feed calls bad, until when, and how sure it is."""

from enum import StrEnum

import msgspec


class IndicatorKind(StrEnum):
    """What the value is. SM3 (GB/T 32905) and SHA-256 are of one length, so only the feed can tell them apart."""

    DOMAIN = "domain"
    URL = "url"
    ADDRESS = "address"
    NETWORK = "network"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    SM3 = "sm3"
    EMAIL = "email"


#: How many hexadecimal digits a hash of each kind has.
HASH_DIGITS = {
    IndicatorKind.MD5: 32,
    IndicatorKind.SHA1: 40,
    IndicatorKind.SHA256: 64,
    IndicatorKind.SM3: 64,
}


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """One indicator of one feed; ``value`` is in its one canonical form (``soc_model.observable``).

    It holds before ``valid_until`` (µs since the epoch; 0: without end). ``confidence`` is 0 to 100.
    """

    kind: IndicatorKind
    value: str
    feed: str
    confidence: int
    valid_until: int = 0
    label: str = ""
    reference: str = ""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One source of indicators as it stands in a set.

    ``counts`` are by kind; ``ends`` how many indicators end on each day (days since the epoch, as text), ``endless``
    how many never do; ``refused`` how many entries the last import left out.
    """

    name: str
    imported: int
    imported_by: str = ""
    format: str = ""
    counts: dict[str, int] = {}
    ends: dict[str, int] = {}
    endless: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """How many indicators it has."""
        return sum(self.counts.values())

    def expired(self, now: int) -> int:
        """How many had ended when the present day (UTC) began."""
        today = now // DAY_US
        return sum(n for day, n in self.ends.items() if int(day) < today)


DAY_US = 86_400_000_000
