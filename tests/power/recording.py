"""What a set of processes did to the files below one folder, in order: recorded by recorder.c, read as operations.

In: a folder, and the environment for the processes. Out: ``Op``s, and positions in between (``mark``), so that what
happened elsewhere, such as an acknowledgement, has its place in the order.
"""

import os
import shutil
import struct
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("recorder.c")
HEAD = struct.Struct("<IIQQQII")
MAGIC = 0x50435554


class Kind(IntEnum):
    """What was done; as in recorder.c."""

    CREATE = 1
    MKDIR = 2
    WRITE = 3
    TRUNCATE = 4
    RENAME = 5
    UNLINK = 6
    RMDIR = 7
    LINK = 8
    SYNC_BEGIN = 9
    SYNC_END = 10
    UNKNOWN = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation. ``inode`` of a file or folder; ``at`` an offset, a size or the token of a sync; ``path`` and
    ``to`` absolute names; ``data`` what was written."""

    kind: Kind
    inode: int = 0
    at: int = 0
    path: str = ""
    to: str = ""
    data: bytes = b""


class Recording:
    """Records into ``folder`` all that processes with ``environment`` do below ``root``."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._library, self._log, self._turn = folder / "recorder.so", folder / "operations", folder / "turn"
        self._root = root.resolve()
        self._log.touch()
        self._turn.write_bytes(bytes(16))
        command = [str(shutil.which("cc")), "-O2", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)

    def environment(self) -> dict[str, str]:
        """Ours, and what makes a process record."""
        own = {"RECORD_ROOT": str(self._root), "RECORD_LOG": str(self._log), "RECORD_TURN": str(self._turn)}
        return {**os.environ, **own, "LD_PRELOAD": str(self._library)}

    def mark(self) -> int:
        """How far the recording is now; ``Operations.before`` tells how many operations that is."""
        return self._log.stat().st_size

    def operations(self) -> "Operations":
        """All that was recorded."""
        return read_operations(self._log.read_bytes())


@dataclass(frozen=True, slots=True)
class Operations:
    """A recording that was read: the operations, and where each one's record ends."""

    ops: list[Op]
    ends: list[int]

    def before(self, mark: int) -> int:
        """How many operations were recorded when the mark was taken."""
        return bisect_right(self.ends, mark)


def read_operations(log: bytes) -> Operations:
    """The operations in a log; ``ValueError`` where it is damaged."""
    ops: list[Op] = []
    ends: list[int] = []
    position = 0
    while position < len(log):
        magic, kind, inode, at, _, first, second = HEAD.unpack_from(log, position)
        if magic != MAGIC:
            raise ValueError(f"no record at {position}")
        position += HEAD.size
        one, two = log[position : position + first], log[position + first : position + first + second]
        position += first + second
        data = two if kind == Kind.WRITE else b""
        to = "" if kind == Kind.WRITE else os.fsdecode(two)
        ops.append(Op(kind=Kind(kind), inode=inode, at=at, path=os.fsdecode(one), to=to, data=data))
        ends.append(position)
    return Operations(ops, ends)
