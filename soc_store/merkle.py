"""Merkle trees as in RFC 6962 §2.1 (leaves and nodes hashed with different first bytes), over SHA-256."""

from collections.abc import Iterable
from hashlib import sha256

ALG = "sha256"


def leaf(name: str, content: bytes) -> bytes:
    """The leaf of one row: the hash over its id and the hash of its content."""
    return sha256(b"\x00" + name.encode("utf-8", "surrogatepass") + b"\x00" + sha256(content).digest()).digest()


def root(leaves: Iterable[bytes]) -> str:
    """The root over ``leaves`` in order, as hex; holds one hash for each level of the tree.

    Two full trees of one size become one at once, and what is left at the end is joined from the right: the same tree
    as RFC 6962's recursion.
    """
    trees: list[tuple[int, bytes]] = []  # height and root of full trees, the largest first
    for one in leaves:
        tree = (0, one)
        while trees and trees[-1][0] == tree[0]:
            tree = (tree[0] + 1, _node(trees.pop()[1], tree[1]))
        trees.append(tree)
    if not trees:
        return sha256(b"").hexdigest()
    _, right = trees.pop()
    while trees:
        right = _node(trees.pop()[1], right)
    return right.hex()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
