"""One data directory has one of each process: a second one says so and changes nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_center.folder import DataFolder
from soc_store.state import State
from tests.running import Center, wait_for


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, [])
    center.start()
    wait_for(lambda: all(center.gauge(name) for name in ("triage", "archiver", "detect", "collect")), 60, "running")
    yield center
    center.stop()


def second(center: Center, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, "--data", str(center.data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)


def test_a_second_of_any_process_is_refused(center: Center) -> None:
    for name in ("triage", "archiver", "detect", "collect"):
        done = second(center, f"soc_center.processes.{name}")
        assert (done.returncode, done.stderr.splitlines()[-1][-28:]) == (2, "is in use by another process"), name
    done = second(center, "soc_center.up", "--evaluation")
    assert done.returncode == 2
    assert "is in use by another process" in done.stderr
    assert center.running()


@pytest.mark.parametrize("name", ["plain", "with space", "城市", "a?b", "a%20b", "it's"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    folder = DataFolder(tmp_path / name).make()
    State.open(folder.state_url, migrate=True).close()
    assert folder.state.is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
