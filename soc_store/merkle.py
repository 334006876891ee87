"""Merkle trees as in RFC 6962 §2.1 (leaves and nodes hashed with different first bytes), over SHA-256."""

from collections.abc import Iterable
from hashlib import sha256
from itertools import islice

ALG = "sha256"
HEIGHT = 8  # of the full trees that are made level by level, which is faster than node by node


def leaf(name: str, content: bytes) -> bytes:
    """The leaf of one row: the hash over its id and the hash of its content."""
    return sha256(b"\x00" + name.encode("utf-8", "surrogatepass") + b"\x00" + sha256(content).digest()).digest()


def root(leaves: Iterable[bytes]) -> str:
    """The root over ``leaves`` in order, as hex; holds 256 leaves and one hash for each level of the tree.

    Two full trees of one size become one at once, and what is left at the end is joined from the right: the same tree
    as RFC 6962's recursion.
    """
    trees: list[_Tree] = []
    left = iter(leaves)
    while len(level := list(islice(left, 1 << HEIGHT))) == 1 << HEIGHT:
        _join(trees, (HEIGHT, _full(level)))
    for one in level:
        _join(trees, (0, one))
    if not trees:
        return sha256(b"").hexdigest()
    _, right = trees.pop()
    while trees:
        right = _node(trees.pop()[1], right)
    return right.hex()


_Tree = tuple[int, bytes]  # height and root of a full tree


def _join(trees: list[_Tree], tree: _Tree) -> None:
    """Put a full tree behind others, the largest of which come first."""
    while trees and trees[-1][0] == tree[0]:
        tree = (tree[0] + 1, _node(trees.pop()[1], tree[1]))
    trees.append(tree)


def _full(level: list[bytes]) -> bytes:
    """The root of a full tree over these leaves."""
    while len(level) > 1:
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
