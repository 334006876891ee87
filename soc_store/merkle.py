"""Merkle trees as in RFC 6962 §2.1 (leaves and nodes hashed with different first bytes), over SHA-256."""

from collections.abc import Iterable
from hashlib import sha256

ALG = "sha256"


def leaf(name: str, content: bytes) -> bytes:
    """The leaf of one row: the hash over its id and the hash of its content."""
    return sha256(b"\x00" + name.encode("utf-8", "surrogatepass") + b"\x00" + sha256(content).digest()).digest()


def root(leaves: Iterable[bytes]) -> str:
    """The root over ``leaves`` in order, as hex.

    Pairing level by level and carrying an odd last node up gives the same tree as RFC 6962's recursion.
    """
    level = list(leaves)
    if not level:
        return sha256(b"").hexdigest()
    while len(level) > 1:
        paired = [sha256(b"\x01" + one + two).digest() for one, two in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0].hex()
