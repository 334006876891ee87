"""One writer for life: an flock on the folder a store is kept in, on a local disk only.

The lock belongs to the open file, so a forked child that keeps the descriptor also keeps the lock: a process that
forks while it holds one lets its children close what they inherit.
"""

import fcntl
import os
from pathlib import Path

from soc_model.problem import Problem
from soc_store.durable import make_folder

#: File systems on which flock, shared memory and fsync do not mean what the stores need (design §6: local disk only).
NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    }
)
MOUNTS = Path("/proc/self/mountinfo")


class Taken(Problem):
    """Another process has the lock."""


class FolderLock:
    """The right to write in one folder, held until ``release`` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> "FolderLock":
        """The lock of ``folder`` (made where missing); ``Taken`` when another has it, ``Problem`` off a local disk."""
        make_folder(folder)
        refuse_network(folder)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise Taken(str(folder), "is in use by another process") from error
        return cls(descriptor)

    def release(self) -> None:
        """Let the next writer in; more than once does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def refuse_network(folder: Path) -> None:
    """Raise ``Problem`` where ``folder`` is on a network file system."""
    if not MOUNTS.exists():
        return
    kind = file_system(folder.resolve(), MOUNTS.read_text(errors="surrogateescape"))
    if kind in NETWORK:
        raise Problem(str(folder), f"is on a network file system ({kind}); use a local disk")


def file_system(path: Path, mountinfo: str) -> str:
    """The type of the file system ``path`` is on, from the text of proc(5) ``mountinfo``; empty when unknown."""
    found, kind = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount = Path(_unescape(left.split(" ")[4]))
        # Of two mounts on one point the later line is the one on top.
        if path.is_relative_to(mount) and len(mount.parts) >= found:
            found, kind = len(mount.parts), right.split(" ")[0]
    return kind


def _unescape(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
