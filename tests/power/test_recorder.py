"""The recorder: what it recorded, done again, gives the bytes the folder has; what it cannot record it tells."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.power.chances import Dropped
from tests.power.disk import Disk, Tree, read_tree
from tests.power.recording import Kind, Op, Recording

CHANGES = """
import mmap, os, shutil, sqlite3, sys, threading
os.chdir(sys.argv[1])
with open("a", "wb", buffering=0) as f:
    f.write(b"a" * 10000); f.seek(5); f.write(b"seek"); os.pwrite(f.fileno(), b"p" * 9, 20000)
    os.writev(f.fileno(), [b"one", b"two"]); os.pwritev(f.fileno(), [b"x", b"y"], 3); os.ftruncate(f.fileno(), 15000)
    os.fsync(f.fileno())
with open("a", "ab", buffering=0) as f: f.write(b"appended")
with open("b", "wb") as f: f.write(b"first")
with open("b", "wb") as f: f.write(b"again")
os.truncate("b", 3); os.posix_fallocate(os.open("b", os.O_RDWR), 0, 50)
os.makedirs("d/e"); os.rename("b", "d/b"); shutil.copyfile("a", "d/e/copied"); shutil.copy("a", "x"); os.remove("x")
fd = os.open("d", os.O_RDONLY); os.rename("b", "e/b2", src_dir_fd=fd, dst_dir_fd=fd); os.fsync(fd)
os.link("a", "linked"); os.mkdir("gone"); os.rmdir("gone"); os.unlink("linked")
nameless = os.open(".", os.O_TMPFILE | os.O_RDWR); os.write(nameless, b"n")
db = sqlite3.connect("s.db", isolation_level=None); db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE t(x)"); db.executemany("INSERT INTO t VALUES (?)", [(b"z" * 5000,)] * 20)
def add(name):
    for n in range(50):
        with open(name, "ab", buffering=0) as f: f.write(b"%d," % n)
threads = [threading.Thread(target=add, args=("shared",)) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
if (pid := os.fork()) == 0:
    os.closerange(3, 4096); add("shared"); os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    if shutil.which("cc") is None or not sys.platform.startswith("linux"):
        absent("cc", "the recorder is C for Linux")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def recorded(root: Path, script: str) -> list[Op]:
    recording = Recording(root.parent, root)
    command = [sys.executable, "-c", script, str(root)]
    subprocess.run(command, env=recording.environment(), check=True, cwd="/")
    return recording.operations().ops


def durable(tree: Tree) -> Tree:
    """Without SQLite's shared memory, which is made anew."""
    return {
        name: durable(node) if isinstance(node, dict) else node
        for name, node in tree.items()
        if not name.endswith("-shm")
    }


def test_what_was_recorded_done_again_gives_the_same_bytes(root: Path) -> None:
    ops = recorded(root, CHANGES)
    disk = Disk(str(root), root.stat().st_ino)
    disk.apply(ops)
    assert durable(disk.root.now()) == durable(read_tree(root))
    assert {op.kind for op in ops} == set(Kind) - {Kind.UNKNOWN}
    assert disk.root.after_cut(Dropped()).get("shared", b"") == b"", "it was never synced"


@pytest.mark.parametrize(
    "script",
    [
        "import mmap; f = open(f'{root}/m', 'w+b'); f.write(b'x' * 4096); f.flush(); mmap.mmap(f.fileno(), 4096)",
        "import os; os.symlink('a', f'{root}/link')",
        "import os; outside = f'{root}-outside'; open(outside, 'w').close(); os.rename(outside, f'{root}/from')",
        "import ctypes; ctypes.CDLL(None).fopen(f'{root}/stdio'.encode(), b'w')",
    ],
    ids=["mmap", "symlink", "rename from outside", "stdio"],
)
def test_what_cannot_be_recorded_is_told(root: Path, script: str) -> None:
    ops = recorded(root, f"import sys; root = sys.argv[1]\n{script}")
    assert Kind.UNKNOWN in {op.kind for op in ops}
