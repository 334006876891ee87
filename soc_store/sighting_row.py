"""A sighting as the archive keeps it: all of one key between two seals are one row."""

from hashlib import sha256
from typing import NamedTuple

import msgspec

from soc_model.sighting import Sighting, SightingKey


class GatheredSighting(NamedTuple):
    """A sighting that waits to be sealed, with offset and time received of the last batch it was in."""

    sighting: Sighting
    offset: int
    received: int


def sighting_id(key: SightingKey) -> str:
    """128 bits over the key, as hex: one id a segment, and with its offset one row a partition."""
    return sha256(msgspec.json.encode(key)).hexdigest()[:32]


def gather(into: dict[SightingKey, GatheredSighting], sighting: Sighting, offset: int, received: int) -> None:
    """Add a sighting to those that wait; ``into`` keeps one for each key."""
    key = sighting.key
    known = into.get(key)
    whole = sighting if known is None else known.sighting.with_more(sighting)
    into[key] = GatheredSighting(whole, offset, received)
