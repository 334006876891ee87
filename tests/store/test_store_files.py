"""Locks, versions and the parts of files that a crash can leave."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from soc_model.problem import Problem
from soc_store.journal import KIND, Journal, JournalReader
from soc_store.lock import FolderLock, file_system
from soc_store.log_files import list_files
from soc_store.outcome_log import OutcomeLog, encode_outcome
from soc_store.versions import create, open_reader, open_writer
from tests.store.making import Clock, chunk, outcome, source

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /data/far\\040away rw - nfs4 server:/export rw
31 22 0:31 / /data/over rw - ext4 /dev/vdb rw
32 31 0:32 / /data/over rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/data/near", "ext4"), ("/data/far away/x", "nfs4"), ("/data/over/x", "cifs"), ("/data/overnight", "ext4")],
)
def test_file_system_of_a_path_is_that_of_its_topmost_mount(path, kind):
    assert file_system(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 22 0:30 / {tmp_path} rw - nfs4 server:/export rw\n")
    monkeypatch.setattr("soc_store.lock.MOUNTS", mounts)
    with pytest.raises(Problem, match="network file system"):
        FolderLock.take(tmp_path / "journal")


def test_a_taken_lock_is_refused_and_free_after_release(tmp_path):
    lock = FolderLock.take(tmp_path)
    with pytest.raises(Problem, match="in use"):
        FolderLock.take(tmp_path)
    lock.release()
    FolderLock.take(tmp_path).release()


@pytest.mark.parametrize("open_store", [lambda path: Journal.open(path, {}, now=Clock()), OutcomeLog.open])
def test_a_second_writer_is_refused(tmp_path, open_store):
    first = open_store(tmp_path)
    with pytest.raises(Problem, match="in use"):
        open_store(tmp_path)
    first.close()
    open_store(tmp_path).close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = 99 WHERE name = 'version'",
        "UPDATE meta SET value = 'x' WHERE name = 'name'",
        "DROP TABLE meta",
    ],
)
def test_a_file_of_another_name_or_version_is_refused_by_writer_and_reader(tmp_path, change):
    Journal.open(tmp_path, {}, now=Clock()).close()
    (file,) = tmp_path.glob("*.db")
    with sqlite3.connect(file) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(Problem, match=file.name):
        Journal.open(tmp_path, {}, now=Clock())
    with pytest.raises(Problem, match=file.name):
        JournalReader(tmp_path).last()


def test_a_refused_file_leaves_the_lock_free(tmp_path):
    (tmp_path / "0000000000000001.db").write_bytes(b"not a database at all" * 100)
    for _ in range(2):
        with pytest.raises(Problem, match="is not a fengsui-journal file"):
            Journal.open(tmp_path, {}, now=Clock())


def test_the_version_before_is_still_read(tmp_path):
    path = tmp_path / "x.db"
    create(path, KIND._replace(version=0))
    open_reader(path, KIND).close()


def test_the_journal_is_synced_fully(tmp_path):
    create(tmp_path / "x.db", KIND)
    connection = open_writer(tmp_path / "x.db", KIND)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_a_crash_left_is_swept(tmp_path):
    leftovers = ["0000000000000009.db.new", "0000000000000009.db.new-journal", "0000000000000003.db-wal"]
    for name in leftovers:
        (tmp_path / name).write_bytes(b"half")
    journal = Journal.open(tmp_path, {"s1": source()}, now=Clock())
    assert journal.commit([chunk(b"a")]) == [1]
    journal.close()
    assert {path.name for path in tmp_path.iterdir()} == {"0000000000000001.db", "lock"}


def test_the_detect_parent_loads_no_heavy_driver():
    code = (
        "import sys, soc_store.journal, soc_store.outcome_log, soc_store.group_commit\n"
        "print([name for name in ('duckdb', 'sqlalchemy', 'nanoarrow', 'luqum', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_is_synced_before_the_next_one_is_seen(tmp_path, monkeypatch):
    synced = []
    seen = lambda path: synced.append((path.name, len(list_files(tmp_path))))  # noqa: E731
    monkeypatch.setattr("soc_store.log_files.sync_file", seen)
    log = OutcomeLog.open(tmp_path)
    log.append([encode_outcome(outcome(1))])
    assert log.rotate_if_due(0, file_bytes=1)
    log.close()
    assert synced == [("0000000000000001.db-wal", 1), ("0000000000000001.db", 1)]
