"""A compaction asked of the archiver: answered by merges in a child, given up when nobody wants it any more."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from soc_center import compacting as compacting_module
from soc_center.archive_command import archive_app
from soc_center.compacting import Compacting, first_open_day
from soc_center.compaction_request import (
    LEASE_US,
    CompactionAnswer,
    CompactionRequest,
    CompactionRequests,
    request_compaction,
)
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.job_place import Cancelled, JobPlace
from soc_center.jobs import compact_archive
from soc_center.merge_child import MergeReply
from soc_center.settings import ArchiveSettings, Settings
from soc_model.job import Job
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_store.archive import Archive
from soc_store.compaction import Merge
from soc_store.compaction_writer import Compactor
from soc_store.manifest import ManifestReader
from soc_store.verify import Fault, verify_realm
from tests.running import Center, wait_for
from tests.store.making import NOON, block, outcome, stat

SETTINGS = ArchiveSettings(min_free_bytes=0)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data").make()


@pytest.fixture
def archive(folder: DataFolder) -> Iterator[Archive]:
    """Three small segments in each of two layers, of a day long over."""
    opened = Archive.open(folder.archive, now=now_us)
    for offset in range(1, 7):
        layer = ("host", "network")[offset % 2]
        opened.add(outcome(offset, block(offset, ["a", "b"], layer=layer), stats=(stat(2, layer=Layer(layer)),)))
        opened.seal_due(NOON, force=True)
    yield opened
    opened.close()


def asked(folder: DataFolder, name: str = "one", at: int = 0, lease_us: int = LEASE_US) -> CompactionRequests:
    now = now_us()
    requests = CompactionRequests(folder.run)
    requests.put(CompactionRequest(id=name, at=now + at, until=now + lease_us))
    return requests


def ticked(compacting: Compacting, until: Any) -> None:
    def tick() -> bool:
        compacting.tick()
        return bool(until())

    wait_for(tick, 60, "the compaction")


def answered(folder: DataFolder, archive: Archive, settings: ArchiveSettings = SETTINGS) -> CompactionAnswer:
    """What a request comes to."""
    requests, compacting = asked(folder), Compacting(folder, settings, archive)
    ticked(compacting, lambda: (answer := requests.answer("one")) and answer.complete)
    compacting.end()
    found = requests.answer("one")
    assert found is not None
    return found


def segments(folder: DataFolder) -> list[tuple[str, int]]:
    view = ManifestReader(folder.archive / "live")
    found = [(one.layer.value, one.rows) for one in view.segments()]
    view.close()
    return found


def faults(folder: DataFolder) -> list[Fault]:
    found: list[Fault] = []
    verify_realm(folder.archive, Realm.LIVE, folder.checkpoints, None, found.append, patience_s=0.0)
    return found


def test_what_is_asked_is_done_and_answered(folder: DataFolder, archive: Archive) -> None:
    answer = answered(folder, archive)
    assert (answer.done, answer.total, answer.merges, answer.replaced, answer.problems) == (2, 2, 2, 6, [])
    assert (answer.segments_before, answer.segments_after) == (6, 2)
    assert answer.bytes_after < answer.bytes_before
    assert segments(folder) == [("host", 6), ("network", 6)]
    assert faults(folder) == []
    assert sorted(path.name for path in folder.run.iterdir()) == ["compact"]


def test_a_day_that_may_still_be_sealed_is_not_over(folder: DataFolder, archive: Archive) -> None:
    day = 86_400_000_000
    assert [first_open_day(NOON - NOON % day + hours * day // 24) for hours in (0, 1)] == ["2023-11-14", "2023-11-15"]


def test_nobody_asks_nothing_is_merged(folder: DataFolder, archive: Archive) -> None:
    compacting = Compacting(folder, SETTINGS, archive)
    compacting.tick()
    assert (compacting.reads(), len(segments(folder))) == ([], 6)
    compacting.end()


def test_a_request_that_is_withdrawn_ends_the_child_and_changes_nothing(folder: DataFolder, archive: Archive) -> None:
    requests, compacting = asked(folder), Compacting(folder, SETTINGS, archive)
    compacting.tick()
    (pid,) = compacting.values["worker_pids"]
    assert len(compacting.reads()) == 1
    requests.withdraw("one")
    compacting._next_look = 0.0
    compacting.tick()
    assert not Path(f"/proc/{pid}").exists()
    assert (compacting.reads(), "worker_pids" in compacting.values) == ([], False)
    assert (len(segments(folder)), list(folder.archive.rglob("*.new")), faults(folder)) == (6, [], [])


def test_a_request_left_over_expires_with_its_answer(folder: DataFolder, archive: Archive) -> None:
    requests = asked(folder, lease_us=-1)
    requests.put_answer(CompactionAnswer(id="one", at=1))
    Compacting(folder, SETTINGS, archive).tick()
    assert list((folder.run / "compact").iterdir()) == []
    assert len(segments(folder)) == 6


def test_requests_are_answered_one_after_the_other_the_oldest_first(folder: DataFolder) -> None:
    requests = asked(folder, "b")
    asked(folder, "a", at=5)
    assert (first := requests.first(now_us())) is not None
    assert first.id == "b"
    requests.put_answer(CompactionAnswer(id="b", at=1, complete=True))
    assert (second := requests.first(now_us())) is not None
    assert second.id == "a"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"v": 2, "id": "x", "at": 0, "until": 9}',
        b'{"v": 1, "id": "x", "at": 0, "until": 1e300}',
        b'{"v": 1, "id": "x", "at": 0, "until": 9000000000000000000}',
        b"\x00" * 5000,
    ],
)
def test_a_request_of_nonsense_is_removed(folder: DataFolder, content: bytes) -> None:
    requests = CompactionRequests(folder.run)
    (folder.run / "compact").mkdir()
    (folder.run / "compact" / "x.request.json").write_bytes(content)
    assert requests.first(now_us()) is None
    assert list((folder.run / "compact").iterdir()) == []


def test_a_segment_that_was_changed_is_told_and_the_others_are_merged(folder: DataFolder, archive: Archive) -> None:
    path = sorted(folder.archive.rglob("host-*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    answer = answered(folder, archive)
    assert (answer.merges, answer.replaced, len(answer.problems)) == (1, 3, 1)
    assert str(path) in answer.problems[0]
    assert (segments(folder), list(folder.archive.rglob("*.new"))) == ([("host", 2)] * 3 + [("network", 6)], [])


def test_without_room_nothing_is_merged_and_that_is_told(folder: DataFolder, archive: Archive) -> None:
    answer = answered(folder, archive, ArchiveSettings(min_free_bytes=1 << 62))
    assert (answer.merges, len(answer.problems)) == (0, 2)
    assert "not enough room" in answer.problems[0]


def test_a_child_that_takes_too_long_is_killed_and_told(
    folder: DataFolder, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting_module, "MERGE_S", -1.0)
    answer = answered(folder, archive)
    assert answer.problems == ["a merge ended without a word (-9)"] * 2
    assert len(segments(folder)) == 6


def test_a_full_disk_ends_the_round_and_not_the_archiver(
    folder: DataFolder, archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Compactor, "replace", full)
        requests, compacting = asked(folder), Compacting(folder, SETTINGS, archive)
        ticked(compacting, lambda: requests.answer("one") is None)
    assert "compaction given up: [Errno 28]" in capsys.readouterr().err
    assert (compacting.reads(), faults(folder)) == ([], [])


def child(folder: DataFolder, task: bytes) -> MergeReply:
    path = folder.run / "task"
    path.write_bytes(task)
    command = [sys.executable, "-m", "soc_center.merge_child", str(folder.archive), str(path), "x"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL)
    return msgspec.json.decode(done.stdout, type=MergeReply)


def test_a_child_says_what_stands_against_its_task(folder: DataFolder, archive: Archive) -> None:
    assert "a merge failed" in child(folder, b"{}").problem
    ((realm, crowd), _) = archive.compactor.crowds()
    (merge,) = archive.compactor.merges(realm, crowd, compacting_module.rule_of(SETTINGS), "2024-01-01")
    other = msgspec.structs.replace(merge.segments[0], file="events/none.parquet")
    assert (
        "none.parquet" in child(folder, msgspec.json.encode(msgspec.structs.replace(merge, segments=[other]))).problem
    )
    made = child(folder, msgspec.json.encode(merge)).merged
    assert made is not None
    assert (made.rows, isinstance(merge, Merge)) == (6, True)


class Answering:
    """An archiver's duty, in a thread of its own."""

    def __init__(self, folder: DataFolder, archive: Archive) -> None:
        self._stop = threading.Event()
        self._compacting = Compacting(folder, SETTINGS, archive)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self._compacting.tick()
        self._compacting.end()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def place(folder: DataFolder, **more: Any) -> JobPlace:
    settings = Settings(version=1, name="t", units=[], sources=[], archive=more.pop("archive", SETTINGS))
    return JobPlace(folder=folder, settings=settings, now=now_us, **more)


def test_the_job_asks_follows_and_gives_what_came_of_it(tmp_path: Path, folder: DataFolder, archive: Archive) -> None:
    told: list[tuple[int, int, str]] = []
    # DuckDB and SQLite connections of the archive are used by that thread alone while it runs.
    with Answering(folder, archive):
        result = compact_archive.run(
            Job(id=1, kind="compact_archive"), place(folder, tell=lambda *one: told.append(one))
        )
    assert (result["complete"], result["merges"], result["replaced"], result["problems"]) == (True, 2, 6, [])
    assert told[-1] == (2, 2, "6 segments merged")
    assert list((folder.run / "compact").iterdir()) == []


def test_a_job_that_is_cancelled_takes_its_request_back(folder: DataFolder) -> None:
    with pytest.raises(Cancelled):
        compact_archive.run(Job(id=1, kind="compact_archive"), place(folder, cancelled=lambda: True))
    assert list((folder.run / "compact").iterdir()) == []


def test_a_job_does_nothing_where_compaction_is_off(folder: DataFolder) -> None:
    off = place(folder, archive=ArchiveSettings(compact=False))
    assert compact_archive.run(Job(id=1, kind="compact_archive"), off) == {"off": True}
    assert not (folder.run / "compact").exists()


def test_an_archiver_that_says_nothing_is_told(folder: DataFolder) -> None:
    with pytest.raises(Problem, match=r"the archiver has said nothing for 0\.1 s"):
        request_compaction(folder.run, now_us, lambda *_: None, time_s=60, silent_s=0.1)
    assert list((folder.run / "compact").iterdir()) == []


def test_what_is_not_done_in_time_is_left_for_the_next(folder: DataFolder) -> None:
    begun = time.monotonic()
    answer = request_compaction(folder.run, now_us, lambda *_: None, time_s=0.3)
    assert answer.complete is False
    assert time.monotonic() - begun >= 0.3


def test_without_an_archiver_the_command_merges_itself(folder: DataFolder, archive: Archive) -> None:
    archive.close()
    done = CliRunner().invoke(archive_app, ["compact", "--data", str(folder.root)])
    assert (done.exit_code, done.output.splitlines()[0]) == (0, "6 segments became 2")
    assert "after 2 segments" in done.output
    proved = CliRunner().invoke(archive_app, ["verify", "--data", str(folder.root)])
    assert (proved.exit_code, "6 merged by 2 compactions" in proved.output) == (0, True)


def test_the_command_tells_what_it_could_not_merge(folder: DataFolder, archive: Archive) -> None:
    archive.close()
    path = sorted(folder.archive.rglob("host-*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = CliRunner().invoke(archive_app, ["compact", "--data", str(folder.root)])
    assert (done.exit_code, f"{path}: is not as it was sealed" in done.output) == (1, True)
    assert "3 segments became 1" in done.output


@pytest.mark.timeout(120)
def test_a_running_center_compacts_when_asked_and_goes_on_sealing(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    source = {"id": "s", "name": "s", "transport": "file", "format": "json", "layer": "host", "unit": "unit"}
    source["settings"] = {"paths": [str(tmp_path / "logs" / "*.log")]}  # type: ignore[assignment]
    center = Center(tmp_path, [source], archive={"seal_s": 0.2, "compact_rows": 2, "min_free_bytes": 0})
    center.start()
    view = lambda: segments(DataFolder(center.data))  # noqa: E731
    try:
        for n in (1, 2):
            (tmp_path / "logs" / f"{n}.log").write_bytes(b'{"a": "%d"}\n' % n)
            wait_for(lambda n=n: list(center.data.glob("archive/live/*/*/*.parquet"))[n - 1 :], 60, "a segment")
        done = CliRunner().invoke(archive_app, ["compact", "--data", str(center.data)])
        assert (done.exit_code, done.output.splitlines()[0]) == (0, "2 segments became 1")
        assert view() == [("host", 2)]
        (tmp_path / "logs" / "3.log").write_bytes(b'{"a": "3"}\n')
        wait_for(lambda: len(view()) == 2, 60, "another segment")
    finally:
        center.stop()
    proved = CliRunner().invoke(archive_app, ["verify", "--data", str(center.data)])
    assert (proved.exit_code, "not yet proved" in proved.output) == (0, False)
    assert len(list(center.data.glob("archive/live/*/*/*.parquet"))) == 2
