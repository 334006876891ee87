"""``fengsui archive`` and the archiver's duties by the clock: what is said, what is signed, how it ends."""

import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from soc_center import custody as custody_module
from soc_center.archive_command import archive_app
from soc_center.custody import REQUEST, Custody, sign_checkpoints
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.settings import ArchiveSettings
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store.archive import Archive
from soc_store.checkpoint import CheckpointFile
from soc_store.day import day_of
from tests.running import Center, wait_for
from tests.store.making import DAY, NOON, Clock, block, outcome
from tests.store.making import stat as counted


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data").make()


def seal(folder: DataFolder, offset: int = 1, received: int = NOON) -> None:
    archive = Archive.open(folder.archive, now=Clock())
    archive.add(outcome(offset, block(offset, ["a"], received=received), stats=(counted(1, day=day_of(received)),)))
    archive.seal_due(NOON, force=True)
    archive.close()


def command(*arguments: str) -> tuple[int, str]:
    """Exit status and output; a Problem is what the command line makes of it."""
    done = CliRunner().invoke(archive_app, arguments)
    if isinstance(done.exception, Problem):
        return 2, str(done.exception)
    return done.exit_code, done.output


def test_what_is_proved_and_what_only_consistent_is_told(folder: DataFolder) -> None:
    data = ("--data", str(folder.root))
    seal(folder)
    assert command("verify", *data) == (0, command("verify", *data)[1])
    assert "nothing proved" in command("verify", *data)[1]
    assert command("checkpoint", *data)[1].startswith("live: checkpoint 20")
    seal(folder, 2)
    code, said = command("verify", *data)
    assert code == 0
    assert "live: proved up to checkpoint 20" in said
    assert "(sequence 1); 1 entries after it consistent but not yet proved; 2 entries" in said
    assert stat.S_IMODE((folder.checkpoints / "key").stat().st_mode) == 0o600


def test_a_fault_is_told_with_file_and_sequence_and_exit_1(folder: DataFolder) -> None:
    seal(folder)
    (path,) = folder.archive.rglob("*.parquet")
    path.unlink()
    code, said = command("verify", "--data", str(folder.root), "--realm", "live")
    assert code == 1
    assert "live/events/2023-11-15/host-0000000001.parquet (sequence 1): the segment is gone" in said
    assert "live: BROKEN, 1 faults" in said
    assert command("verify", "--data", str(folder.root), "--realm", "drill")[0] == 0


def test_a_realm_that_is_gone_is_missed_by_its_checkpoints(folder: DataFolder) -> None:
    seal(folder)
    command("checkpoint", "--data", str(folder.root))
    shutil.rmtree(folder.archive / "live")
    code, said = command("verify", "--data", str(folder.root))
    assert (code, "cut off" in said) == (1, True)


def test_a_copy_of_checkpoints_and_key_is_what_counts(folder: DataFolder, tmp_path: Path) -> None:
    seal(folder)
    command("checkpoint", "--data", str(folder.root))
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder.checkpoints, copy)
    shutil.rmtree(folder.checkpoints)
    seal(folder, 2)
    command("checkpoint", "--data", str(folder.root))  # by another key now
    data = ("--data", str(folder.root))
    assert command("verify", *data, "--checkpoints", str(copy))[0] == 0
    code, said = command("verify", *data, "--public-key", str(copy / "key.pub"))
    assert (code, "is by another key" in said) == (1, True)


@pytest.mark.parametrize("more", [["--checkpoints", "/nowhere"], ["--public-key", "/nowhere"], ["--realm", "none"]])
def test_wrong_usage_is_exit_2(folder: DataFolder, more: list[str]) -> None:
    assert command("verify", "--data", str(folder.root), *more)[0] == 2
    assert command("verify", "--data", str(folder.root / "none"))[0] == 2


def test_a_manifest_that_lost_what_was_signed_is_never_signed_over(folder: DataFolder) -> None:
    seal(folder)
    sign_checkpoints(folder, ArchiveSettings(), NOON, grown=False)
    shutil.rmtree(folder.archive / "live")
    seal(folder, 1, NOON + DAY)
    with pytest.raises(Problem, match="not what the last checkpoint signed"):
        sign_checkpoints(folder, ArchiveSettings(), NOON, grown=False)


@pytest.fixture
def custody(folder: DataFolder):  # type: ignore[no-untyped-def]
    seal(folder, received=now_us())
    archive = Archive.open(folder.archive, now=Clock())
    yield Custody(folder, ArchiveSettings(), archive)
    archive.close()


def signed(folder: DataFolder) -> int:
    path = folder.checkpoints / "live.ndjson"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_checkpoint_is_signed_at_once_hourly_and_at_the_end_when_something_grew(
    folder: DataFolder, custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody.tick()
    custody.tick()
    custody.end()
    assert signed(folder) == 1
    clock = now_us()
    monkeypatch.setattr(custody_module, "now_us", lambda: clock + 3_601_000_000)
    custody._next_checkpoint = 0.0
    custody.tick()
    assert signed(folder) == 2
    assert custody.values["checkpoint_live"] == 1
    assert custody.values["free_bytes"] > 0


def test_a_restart_within_the_hour_signs_nothing_more(folder: DataFolder, custody: Custody) -> None:
    custody.tick()
    Custody(folder, ArchiveSettings(), custody._archive).tick()
    assert signed(folder) == 1


def test_a_request_is_answered_and_taken_away(folder: DataFolder, custody: Custody) -> None:
    custody.tick()
    (folder.run / REQUEST).touch()
    custody.tick()
    assert signed(folder) == 2
    assert not (folder.run / REQUEST).exists()


def test_trouble_with_a_checkpoint_is_shown_and_stops_nothing(
    folder: DataFolder, custody: Custody, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.checkpoints.write_text("a file where the folder should be")
    for _ in range(2):
        custody._next_checkpoint = 0.0
        custody.tick()
    assert "checkpoint_problem" in custody.values
    assert capsys.readouterr().err.count("no checkpoint") == 1
    folder.checkpoints.unlink()
    custody._next_checkpoint = 0.0
    custody.tick()
    assert "checkpoint_problem" not in custody.values


def test_what_was_kept_for_long_enough_is_removed_once_a_day(
    folder: DataFolder, custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody.tick()
    assert len(list(folder.archive.rglob("*.parquet"))) == 1
    clock = now_us()
    for days, left in ((180, 1), (181, 0)):
        monkeypatch.setattr(custody_module, "now_us", lambda days=days: clock + days * DAY)
        custody.tick()
        assert len(list(folder.archive.rglob("*.parquet"))) == left
    assert command("verify", "--data", str(folder.root))[0] == 0


@pytest.mark.timeout(120)
def test_a_running_center_signs_when_asked_and_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(b'{"a": "b"}\n')
    source = {"id": "s", "name": "s", "transport": "file", "format": "json", "layer": "host", "unit": "unit"}
    source["settings"] = {"paths": [str(tmp_path / "logs" / "*.log")]}  # type: ignore[assignment]
    center = Center(tmp_path, [source], archive={"seal_s": 0.5})
    center.start()
    try:
        wait_for(lambda: list(center.data.glob("archive/live/*/*/*.parquet")), 60, "a segment")
        wait_for(lambda: command("checkpoint", "--data", str(center.data))[1].startswith("live: "), 30, "a checkpoint")
        assert "proved up to checkpoint" in command("verify", "--data", str(center.data))[1]
        (tmp_path / "logs" / "b.log").write_bytes(b'{"c": "d"}\n')
        wait_for(lambda: len(list(center.data.glob("archive/live/*/*/*.parquet"))) > 1, 60, "another segment")
    finally:
        center.stop()
    last = CheckpointFile(tmp_path / "data-checkpoints", Realm.LIVE).last()
    assert last is not None
    assert last.sequence == 2
    assert "not yet proved" not in command("verify", "--data", str(center.data))[1]
