"""A disk as a power cut finds it: which of the changes made so far are on it, and which may be.

In: operations in order. Out: a tree of folders and bytes. What was written before a sync began is on the disk once the
sync has ended; a name is there once its folder was synced after it changed. Of the rest a ``Chance`` decides.
The one thing to know: a file that was synced but whose name was not is gone. File systems give more than that; a
program that needs no more is safe on all of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Protocol

from tests.power.recording import Kind, Op

PAGE = 4096
Tree = dict[str, "bytes | Tree"]


class Chance(Protocol):
    """What becomes of changes that were not synced."""

    def names(self, changes: int) -> int:
        """How many of a folder's changes, from the first on, are on the disk: file systems keep their order."""

    def piece(self) -> bool:
        """Whether one page of one write is on the disk, or one change of size."""

    def grows(self) -> bool:
        """Whether a file has the size of all its writes, whichever of them are there: the others are zeros."""


@dataclass(slots=True, eq=False)
class File:
    """A file's bytes on the disk, and what was done to it since that is not surely there."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)

    def settle(self, through: int) -> None:
        """The first ``through`` pending changes are on the disk."""
        for op in self.pending[:through]:
            change(self.synced, op)
        del self.pending[:through]

    def now(self) -> bytes:
        """As a program that reads it sees it."""
        content = bytearray(self.synced)
        for op in self.pending:
            change(content, op)
        return bytes(content)

    def after_cut(self, chance: Chance) -> bytes:
        """As a power cut leaves it."""
        content = bytearray(self.synced)
        for op in self.pending:
            for piece in pieces(op):
                if chance.piece():
                    change(content, piece)
        if self.pending and chance.grows():
            content.extend(bytes(max(0, len(self.now()) - len(content))))
        return bytes(content)


@dataclass(slots=True, eq=False)
class Folder:
    """A folder's names on the disk, as programs see them, and the changes in between."""

    synced: dict[str, "Node"] = field(default_factory=dict)
    names: dict[str, "Node"] = field(default_factory=dict)
    pending: list[dict[str, "Node | None"]] = field(default_factory=list)

    def put(self, changed: dict[str, "Node | None"]) -> None:
        """Give, move or take names, in one step."""
        rename(self.names, changed)
        self.pending.append(changed)

    def settle(self, through: int) -> None:
        """The first ``through`` pending changes are on the disk."""
        for changed in self.pending[:through]:
            rename(self.synced, changed)
        del self.pending[:through]

    def now(self) -> Tree:
        """As a program that reads it sees it."""
        return {name: node.now() for name, node in self.names.items()}

    def after_cut(self, chance: Chance) -> Tree:
        """As a power cut leaves it."""
        names = dict(self.synced)
        for changed in self.pending[: chance.names(len(self.pending))]:
            rename(names, changed)
        return {name: node.after_cut(chance) for name, node in names.items()}


Node = File | Folder


class Disk:
    """Everything below ``root``; begins with what is there, which counts as synced."""

    def __init__(self, root: str, root_inode: int, there: Tree | None = None, inodes: dict[str, int] | None = None):
        self.root = Folder()
        self._at = PurePosixPath(root)
        self._nodes: dict[int, Node] = {root_inode: self.root}
        self._syncs: dict[int, tuple[Node, int]] = {}
        _fill(self.root, there or {}, "", inodes or {}, self._nodes)

    def apply(self, ops: Iterable[Op]) -> None:
        """Do the operations; ``ValueError`` for one that could not be recorded or fits nothing."""
        for op in ops:
            self._apply(op)

    def _apply(self, op: Op) -> None:
        match op.kind:
            case Kind.CREATE | Kind.MKDIR:
                node = self._nodes[op.inode] = File() if op.kind is Kind.CREATE else Folder()
                if op.path:
                    self._put(op.path, node)
            case Kind.LINK:
                self._put(op.path, self._nodes[op.inode])
            case Kind.UNLINK | Kind.RMDIR:
                self._put(op.path, None)
            case Kind.RENAME:
                self._rename(op)
            case Kind.WRITE | Kind.TRUNCATE:
                self._file(op).pending.append(op)
            case Kind.SYNC_BEGIN:
                node = self._nodes[op.inode]
                self._syncs[op.at] = node, len(node.pending)
            case Kind.SYNC_END:
                self._sync(op.at)
            case _:
                raise ValueError(f"cannot be recorded: {op.path} {op.to}")

    def _sync(self, token: int) -> None:
        node, through = self._syncs.pop(token)
        node.settle(through)
        # A sync that began before and is still under way finds that much done already.
        for other, (one, length) in self._syncs.items():
            if one is node:
                self._syncs[other] = one, max(0, length - through)

    def _file(self, op: Op) -> File:
        node = self._nodes.get(op.inode)
        if not isinstance(node, File):
            raise ValueError(f"{op.kind.name} to inode {op.inode}, which was never made")
        return node

    def _folder(self, path: str) -> tuple[Folder, str]:
        node: Node = self.root
        place = PurePosixPath(path).relative_to(self._at)
        for name in place.parent.parts:
            if not isinstance(node, Folder):
                raise ValueError(f"{path}: {name} is in no folder")
            node = node.names[name]
        if not isinstance(node, Folder):
            raise ValueError(f"{path} is in no folder")
        return node, place.name

    def _put(self, path: str, node: Node | None) -> None:
        folder, name = self._folder(path)
        if node is None and name not in folder.names:
            raise ValueError(f"{path} goes, but was never there")
        folder.put({name: node})

    def _rename(self, op: Op) -> None:
        source, old = self._folder(op.path)
        target, new = self._folder(op.to)
        node = source.names[old]
        if source is target:
            source.put({old: None, new: node})
        else:  # two folders are synced apart, so either half may be there alone
            target.put({new: node})
            source.put({old: None})


def change(content: bytearray, op: Op) -> None:
    """Do one change to a file's bytes."""
    if op.kind is Kind.TRUNCATE:
        del content[op.at :]
        content.extend(bytes(op.at - len(content)))
        return
    content.extend(bytes(max(0, op.at - len(content))))
    content[op.at : op.at + len(op.data)] = op.data


def pieces(op: Op) -> list[Op]:
    """A write as its parts in single pages of the file; a change of size is one piece."""
    if op.kind is not Kind.WRITE:
        return [op]
    end = op.at + len(op.data)
    cuts = [op.at, *range((op.at // PAGE + 1) * PAGE, end, PAGE), end]
    return [
        Op(kind=Kind.WRITE, inode=op.inode, at=first, data=op.data[first - op.at : last - op.at])
        for first, last in pairwise(cuts)
    ]


def rename(names: dict[str, Node], changed: dict[str, Node | None]) -> None:
    """Give and take names in a folder."""
    for name, node in changed.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def read_tree(folder: Path) -> Tree:
    """What is on the real disk; only files and folders."""
    return {
        path.name: read_tree(path) if path.is_dir() else path.read_bytes()
        for path in folder.iterdir()
        if path.is_dir() or path.is_file()
    }


def read_inodes(folder: Path) -> dict[str, int]:
    """The inode of everything below ``folder``, by path from there."""
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("*")}


def write_tree(folder: Path, tree: Tree) -> None:
    """Make ``folder`` with that content, its owner's alone."""
    folder.mkdir(mode=0o700)
    for name, node in tree.items():
        if isinstance(node, dict):
            write_tree(folder / name, node)
        else:
            (folder / name).write_bytes(node)
            (folder / name).chmod(0o600)


def _fill(folder: Folder, tree: Tree, path: str, inodes: dict[str, int], nodes: dict[int, Node]) -> None:
    for name, content in tree.items():
        node: Node = Folder() if isinstance(content, dict) else File(synced=bytearray(content))
        folder.synced[name] = folder.names[name] = node
        nodes[inodes[path + name]] = node
        if isinstance(content, dict) and isinstance(node, Folder):
            _fill(node, content, f"{path}{name}/", inodes, nodes)
