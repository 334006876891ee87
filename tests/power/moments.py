"""Where to cut: just before and just after one operation of each sort, and anywhere.

In: operations. Out: how many of them to do before the cut, with the sort, by which a failure is told.
"""

import random
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from tests.power.recording import Kind, Op

_NUMBER = re.compile(r"\d[\d-]*")


class Moment(NamedTuple):
    """The cut comes after that many operations; ``sort`` tells what is there."""

    after: int
    sort: str


def moments(ops: list[Op], root: str, n: int, chance: random.Random) -> list[Moment]:
    """``n`` moments in order: two thirds around operations of different sorts, the rest anywhere."""
    by_sort: dict[str, list[int]] = {}
    for index, sort in _sorts(ops, root):
        by_sort.setdefault(sort, []).append(index)
    nasty = [Moment(chance.choice(found) + side, sort) for sort, found in by_sort.items() for side in (0, 1)]
    chosen = chance.sample(nasty, min(len(nasty), 2 * n // 3))
    anywhere = [Moment(chance.randrange(len(ops) + 1), "anywhere") for _ in range(n - len(chosen))]
    return sorted([*chosen, *anywhere])


def _sorts(ops: list[Op], root: str) -> Iterator[tuple[int, str]]:
    """Each operation but writes, and its sort: what is done to which kind of file."""
    paths: dict[int, str] = {}
    inodes: dict[str, int] = {}
    for index, op in enumerate(ops):
        if op.kind in (Kind.CREATE, Kind.MKDIR):
            paths[op.inode], inodes[op.path] = op.path, op.inode
        if op.kind is Kind.RENAME and op.path in inodes:
            paths[inodes[op.path]] = op.to
            inodes[op.to] = inodes.pop(op.path)
        if op.kind is not Kind.WRITE:
            path = op.to or op.path or paths.get(op.inode, root)
            yield index, f"{op.kind.name} {_kind_of(path, root)}"


def _kind_of(path: str, root: str) -> str:
    place = PurePosixPath(path)
    return _NUMBER.sub("N", str(place.relative_to(root))) if place.is_relative_to(root) else path
