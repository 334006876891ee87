"""Who sends: the source whose key a request carries.

Three ways to say it, because senders differ: ``Bearer KEY``, ``Basic`` with the source's id as user and its key as
password, ``ApiKey base64(id:KEY)``. Only the SHA-256 of a key is configured. The key decides: a sender reaches no other
source by naming it.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from soc_model.source import Source


class Credentials(NamedTuple):
    """What a request says of itself; ``source_id`` is empty where it only shows a key."""

    source_id: str
    key: str


def credentials_of(authorization: str) -> Credentials | None:
    """The credentials in an ``Authorization`` header; ``None`` where there are none that can be read."""
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return Credentials("", given) if given else None
    if scheme.lower() not in ("basic", "apikey"):
        return None
    try:
        named = b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):  # UnicodeDecodeError is a ValueError
        return None
    source_id, colon, key = named.partition(":")
    return Credentials(source_id, key) if colon and source_id and key else None


class Keys:
    """The keys of the sources of one intake, as digests."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = {source.id: source for source in sources}
        self._by_digest: dict[str, list[Source]] = {}
        for source in sources:
            if source.key_sha256:
                self._by_digest.setdefault(source.key_sha256.lower(), []).append(source)

    def __contains__(self, source_id: str) -> bool:
        return source_id in self._sources

    def is_key_of(self, source_id: str, key: str) -> bool:
        """Whether the key is the source's; takes the same time whichever of the two is wrong."""
        source = self._sources.get(source_id)
        held = source.key_sha256.lower() if source else ""
        return hmac.compare_digest(_digest(key).encode(), held.encode())

    def source(self, said: Credentials) -> Source | None:
        """The source that these credentials prove; ``None`` for none, and for a bare key that several sources have."""
        if said.source_id:
            return self._sources[said.source_id] if self.is_key_of(said.source_id, said.key) else None
        holders = self._by_digest.get(_digest(said.key), [])
        return holders[0] if len(holders) == 1 else None


def _digest(key: str) -> str:
    return sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()
