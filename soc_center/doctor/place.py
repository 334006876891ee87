"""The place where the data lies: whose it is, on what file system, how much room there is, how fast it is safe."""

import os
import stat
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn
from soc_store.lock import MOUNTS, NETWORK, file_system

GIB = 1 << 30
LEAST_BYTES = 1 * GIB
FEW_BYTES = 10 * GIB
LEAST_INODES = 0.01
SLOW_S = 0.02  # design: a group commit has 50 ms
TOO_SLOW_S = 0.2
WRITES = 20
ROOT = 0
BLOCK = bytes(16_384)
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class Entry(NamedTuple):
    """A file or folder as the system shows it."""

    path: Path
    owner: int
    mode: int
    is_folder: bool


class Room(NamedTuple):
    """What is free on a file system; no inodes in total: it does not count them."""

    free_bytes: int
    inodes: int
    free_inodes: int


def check_entries(entries: Sequence[Entry], person: int) -> list[Diagnosis]:
    """Whether all belongs to the person who asks and is closed to others; the first entry is the data directory."""
    owner = entries[0].owner if person == ROOT else person  # root asks for whomever it belongs to
    fix = "start everything as one user, or chown -R {} {}"
    found = [
        bad("folder", f"{entry.path} belongs to user {entry.owner}, not {owner}", fix.format(owner, entries[0].path))
        for entry in entries
        if entry.owner != owner
    ]
    for entry in entries:
        wanted = 0o700 if entry.is_folder else 0o600
        if entry.mode & 0o077:
            found.append(
                bad("folder", f"{entry.path} is open to others ({entry.mode:04o})", f"chmod {wanted:o} {entry.path}")
            )
        elif entry.mode & wanted != wanted:
            found.append(bad("folder", f"{entry.path} has mode {entry.mode:04o}", f"chmod {wanted:o} {entry.path}"))
    return found or [ok("folder", f"{entries[0].path} is ours alone")]


def check_file_system(path: Path, kind: str) -> Diagnosis:
    """Whether the file system keeps what it is given, and its locks hold."""
    if kind in NETWORK:
        return bad(
            "disk", f"{path} is on a network file system ({kind}), refused at start", "use a local disk (--data)"
        )
    if kind in IN_MEMORY:
        return warn("disk", f"{path} is in memory ({kind}): all is gone after a restart", "use a local disk (--data)")
    return ok("disk", f"local file system ({kind or 'of unknown kind'})")


def check_room(room: Room) -> list[Diagnosis]:
    """Whether there is room for more."""
    said = f"{room.free_bytes / GIB:,.1f} GiB free"
    if room.free_bytes < LEAST_BYTES:
        found = [bad("disk", said, "free space or move the data directory: near zero nothing is taken in")]
    elif room.free_bytes < FEW_BYTES:
        found = [warn("disk", said, "plan for more: 180 days of logs are kept (六个月)")]
    else:
        found = [ok("disk", said)]
    if room.inodes and room.free_inodes < LEAST_INODES * room.inodes:
        found.append(bad("disk", f"{room.free_inodes} of {room.inodes} inodes free", "remove small files elsewhere"))
    return found


def check_latency(times_s: Sequence[float]) -> Diagnosis:
    """Whether a write is on the disk soon enough; each time is one write with its fsync."""
    middle, worst = statistics.median(times_s), max(times_s)
    said = f"a safe write (fsync) takes {middle * 1000:.1f} ms, at worst {worst * 1000:.0f} ms of {len(times_s)}"
    if middle > TOO_SLOW_S:
        return bad("disk", said, "use another disk: every sender waits for this")
    if middle > SLOW_S:
        return warn("disk", said, "a faster disk, or less other work on this one: senders wait for this")
    return ok("disk", said)


def read_entries(root: Path) -> list[Entry]:
    """The data directory, what lies in it, and no deeper."""
    paths = [root, *sorted(path for path in root.iterdir() if path.is_dir())] if os.access(root, os.R_OK) else [root]
    paths += [path for path in (root / "fengsui.yml", root / "metrics.token", root / "state.db") if path.is_file()]
    return [_entry(path) for path in paths]


def _entry(path: Path) -> Entry:
    seen = path.stat()
    return Entry(path, seen.st_uid, stat.S_IMODE(seen.st_mode), stat.S_ISDIR(seen.st_mode))


def read_kind(path: Path) -> str:
    """The kind of file system, empty when unknown."""
    return file_system(path.resolve(), MOUNTS.read_text(errors="surrogateescape")) if MOUNTS.exists() else ""


def read_room(path: Path) -> Room:
    """What is free for us."""
    seen = os.statvfs(path)
    return Room(seen.f_bavail * seen.f_frsize, seen.f_files, seen.f_favail)


def measure_latency(folder: Path, writes: int = WRITES) -> list[float]:
    """Seconds of each of some writes of 16 KiB with fsync, into a file that is gone afterwards."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(writes):
            began = time.perf_counter()
            file.write(BLOCK)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return times
