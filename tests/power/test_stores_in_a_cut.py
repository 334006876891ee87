"""What single parts leave behind in the worst power cut: all that they promised, and no luck counted."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from soc_store.outcome_log import OutcomeLog
from tests.conftest import absent
from tests.power.chances import Dropped
from tests.power.disk import Disk, Tree, write_tree
from tests.power.moments import moments
from tests.power.recording import Kind, Op, Recording

OUTCOMES = """
import sys
from pathlib import Path
from soc_store.outcome_log import EncodedOutcome, OutcomeLog, OutcomeReader
folder = Path(sys.argv[1], "outcomes")
log, reader = OutcomeLog.open(folder), OutcomeReader(folder)
log.append([EncodedOutcome(n, n, b"head", b"rows" * 9000) for n in range(1, 6)])
assert reader.last() == 5
{sync}
log.append([EncodedOutcome(6, 6, b"head", b"rows")])
import os; os._exit(0)
"""
MAKES = """
import sys
from pathlib import Path
from soc_center.evaluation import write_first
from soc_center.folder import DataFolder
write_first(DataFolder(Path(sys.argv[1], "var", "data")).make(), evaluation=True)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    if shutil.which("cc") is None or not sys.platform.startswith("linux"):
        absent("cc", "the recorder is C for Linux")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def worst(root: Path, script: str) -> Tree:
    """What the worst power cut leaves just after a script has run."""
    recording = Recording(root.parent, root)
    command = [sys.executable, "-c", script, str(root)]
    subprocess.run(command, env=recording.environment(), check=True, cwd=Path(__file__).parents[2])
    disk = Disk(str(root), root.stat().st_ino)
    disk.apply(recording.operations().ops)
    return disk.root.after_cut(Dropped())


@pytest.mark.parametrize(("sync", "last"), [("reader.sync()", 5), ("", 0)])
def test_outcomes_that_a_reader_synced_are_not_lost(root: Path, sync: str, last: int) -> None:
    tree = worst(root, OUTCOMES.format(sync=sync))
    write_tree(root.parent / "left", tree)
    log = OutcomeLog.open(root.parent / "left" / "outcomes")
    assert log.last() == last
    log.close()


def test_a_data_directory_is_there_with_all_its_parts_and_its_keys(root: Path) -> None:
    tree = worst(root, MAKES)
    assert isinstance(tree["var"], dict)
    data = tree["var"]["data"]
    assert isinstance(data, dict)
    assert {"journal", "outcomes", "archive", "quarantine", "drill", "fengsui.yml"} <= set(data)
    assert isinstance(data["drill"], dict)
    assert data["drill"]["keys.json"]
    assert data["fengsui.yml"]


def test_moments_lie_around_each_sort_of_operation() -> None:
    ops = [Op(kind=Kind.CREATE, inode=2, path="/r/a1"), *[Op(kind=Kind.WRITE, inode=2)] * 50]
    ops += [Op(kind=Kind.RENAME, path="/r/a1", to="/r/b2"), Op(kind=Kind.SYNC_BEGIN, inode=2, at=1)]
    found = moments(ops, "/r", 12, random.Random(1))
    assert found == sorted(found)
    assert len(found) == 12
    assert {(moment.after, moment.sort) for moment in found if moment.sort != "anywhere"} == {
        *((0, "CREATE aN"), (1, "CREATE aN")),
        *((51, "RENAME bN"), (52, "RENAME bN")),
        *((52, "SYNC_BEGIN bN"), (53, "SYNC_BEGIN bN")),
    }
