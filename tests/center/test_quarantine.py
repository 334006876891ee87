"""Quarantined records: kept, come in again once after a fix, or given up, each on a person's word."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collectors.intake import IntakeFull
from soc_center.cli import app
from soc_center.folder import DataFolder
from soc_center.pipeline import process
from soc_center.quarantine import MOST, Entry, Kind, Quarantine, Settled
from soc_center.replay import ask_replay, own_positions, take_replays
from soc_model.audit import AuditFilter
from soc_model.chunk import Chunk
from soc_model.event import REPLAY_OF
from soc_model.problem import Problem
from soc_model.source import Source
from soc_store.batch import decode_batch
from soc_store.journal import Journal, JournalReader
from soc_store.state import State
from tests.center.detection_run import SOURCE, column, snapshot_of
from tests.center.test_detect_process import marked, run

WORD = Settled(how="replayed", who="li", why="format corrected", at=7)


class WayIn:
    """The journal alone, as collect holds it; ``fails`` is raised instead of taking anything."""

    def __init__(self, data: Path, sources: dict[str, Source], fails: Exception | None = None) -> None:
        self.journal = Journal.open(data / "journal", sources, now=lambda: 99)
        self.fails = fails

    async def append(self, chunks: list[Chunk]) -> bool:
        if self.fails is not None:
            raise self.fails
        self.journal.check(chunks)
        self.journal.commit(chunks)
        return True

    def replayed(self, source_id: str, stream: str) -> bool:
        return stream in self.journal.positions(source_id)


@pytest.fixture
def way_in(tmp_path: Path) -> Iterator[WayIn]:
    made = WayIn(tmp_path, {"s": SOURCE})
    yield made
    made.journal.close()


def take(folder: DataFolder, way_in: WayIn) -> list[str]:
    said: list[str] = []
    asyncio.run(take_replays(folder.inbox, Quarantine(folder.quarantine), way_in, said.append))
    return said


def journaled(tmp_path: Path) -> list[tuple[int, bytes]]:
    reader = JournalReader(tmp_path / "journal")
    rows = reader.read(0)
    reader.close()
    return rows


@pytest.fixture
def stopped(tmp_path: Path) -> dict[str, Any]:
    """What came of a batch with a record that kills and one that only raises."""
    batch = [marked("a"), marked("exit"), marked("raise"), marked("b")]
    return run(tmp_path, batches=[batch], constants={"BACK_OFF_S": 0.0}, workers=1)


def test_what_stops_detection_is_kept_with_its_place(tmp_path: Path, stopped: dict[str, Any]) -> None:
    quarantine = Quarantine(DataFolder(tmp_path).quarantine)
    [entry] = quarantine.entries()
    assert (entry.offset, entry.kind, list(entry.records), entry.settled) == (1, Kind.RECORDS, [(0, 1), (0, 2)], None)
    assert quarantine.blob(1) == journaled(tmp_path)[0][1]
    assert stopped["quarantined_records"] == len(stopped["outcomes"]["1"]["alarms"]) == 2


def test_a_replayed_record_is_a_new_event_that_points_at_the_quarantined_row(
    tmp_path: Path, stopped: dict[str, Any], way_in: WayIn
) -> None:
    folder = DataFolder(tmp_path)
    assert ask_replay(folder.inbox, Quarantine(folder.quarantine), 1, WORD) == 2
    assert take(folder, way_in) == ["collect: 2 quarantined records of batch 1 replayed"]
    [_, (offset, blob)] = journaled(tmp_path)
    outcome = process(decode_batch(blob), snapshot_of(tmp_path))
    flags = [flag for block in outcome.blocks for flag in column(block, "flags")]
    rows = stopped["outcomes"]["1"]["rows"]
    ids = [event for (_, words), event in zip(rows, stopped["outcomes"]["1"]["ids"], strict=True) if "quarant" in words]
    assert [next(word for word in words.split() if word.startswith(REPLAY_OF)) for words in flags] == [
        f"{REPLAY_OF}:{event}" for event in ids
    ]
    assert not set(ids) & {event for block in outcome.blocks for event in column(block, "event_id")}
    assert (offset, len(outcome.findings), {block.constants["received"] for block in outcome.blocks}) == (2, 2, {1})
    assert Quarantine(folder.quarantine).entry(1).settled == WORD
    assert not Quarantine(folder.quarantine).blob_path(1).exists()


@pytest.mark.parametrize("settled", [False, True], ids=["before it was settled", "before the request was removed"])
def test_a_crash_after_the_append_replays_once(
    tmp_path: Path, stopped: dict[str, Any], way_in: WayIn, settled: bool
) -> None:
    folder = DataFolder(tmp_path)
    ask_replay(folder.inbox, Quarantine(folder.quarantine), 1, WORD)
    for name in ("inbox", "quarantine"):
        shutil.copytree(tmp_path / name, tmp_path / f"{name}.before")
    take(folder, way_in)
    for name in ("inbox",) if settled else ("inbox", "quarantine"):
        shutil.rmtree(tmp_path / name)
        shutil.copytree(tmp_path / f"{name}.before", tmp_path / name)
    take(folder, way_in)
    assert len(journaled(tmp_path)) == 2
    assert not list(folder.inbox.iterdir())
    assert Quarantine(folder.quarantine).entry(1).settled == WORD


def test_a_full_journal_lets_the_replay_wait(tmp_path: Path, stopped: dict[str, Any], way_in: WayIn) -> None:
    folder = DataFolder(tmp_path)
    ask_replay(folder.inbox, Quarantine(folder.quarantine), 1, WORD)
    way_in.fails = IntakeFull("later")
    take(folder, way_in)
    assert (len(journaled(tmp_path)), Quarantine(folder.quarantine).entry(1).settled) == (1, None)
    way_in.fails = None
    take(folder, way_in)
    assert len(journaled(tmp_path)) == 2


def test_a_replay_of_a_source_that_is_gone_is_refused_and_the_record_stays(
    tmp_path: Path, stopped: dict[str, Any]
) -> None:
    folder = DataFolder(tmp_path)
    ask_replay(folder.inbox, Quarantine(folder.quarantine), 1, WORD)
    (folder.inbox / "x.replay").write_bytes(b"noise")
    way_in = WayIn(tmp_path, {})
    said = take(folder, way_in)
    way_in.journal.close()
    assert len(said) == 2 and "source 's': is not configured" in said[0] and "x.replay" in said[1]
    entry = Quarantine(folder.quarantine).entry(1)
    assert (entry.problem, entry.settled) == ("source 's': is not configured", None)
    assert Quarantine(folder.quarantine).blob(1)


def test_a_batch_put_aside_can_be_discarded_but_not_replayed_when_unreadable(tmp_path: Path) -> None:
    cut = "UPDATE entry SET blob = substr(blob, 1, 40) WHERE offset = 1"
    run(tmp_path, batches=[[marked("a")]], edits=[cut], workers=1)
    State.open(DataFolder(tmp_path).state_url, migrate=True).close()
    data = ["--data", str(tmp_path)]
    with pytest.raises(Problem, match="damaged batch"):
        CliRunner().invoke(app, ["quarantine", "replay", "1", "--why", "x", *data], catch_exceptions=False)
    done = CliRunner().invoke(app, ["quarantine", "discard", "1", "--why", "disk fault", *data], catch_exceptions=False)
    assert done.exit_code == 0
    listed = CliRunner().invoke(app, ["quarantine", "list", "--all", *data]).output
    assert "discarded by" in listed and "disk fault" in listed
    assert not Quarantine(DataFolder(tmp_path).quarantine).blob_path(1).exists()
    assert recorded(tmp_path) == [("quarantine.discarded", "batch 1", "terminal", {"why": "disk fault"})]
    with pytest.raises(Problem, match="was discarded already"):
        CliRunner().invoke(app, ["quarantine", "replay", "1", "--why", "x", *data], catch_exceptions=False)


def recorded(data: Path) -> list[tuple[str, str, str, dict[str, str]]]:
    """What stands in the audit record, the newest first."""
    state = State.open(DataFolder(data).state_url)
    found = [(one.act.value, one.subject, one.address, one.detail) for one in state.audit.entries(AuditFilter())]
    state.close()
    return found


def test_nothing_is_replayed_where_it_could_not_be_recorded(tmp_path: Path, stopped: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="could not be recorded"):
        CliRunner().invoke(
            app, ["quarantine", "replay", "1", "--why", "x", "--data", str(tmp_path)], catch_exceptions=False
        )
    assert not (tmp_path / "inbox").exists() and not (tmp_path / "state.db").exists()


def test_commands_list_show_and_replay(tmp_path: Path, stopped: dict[str, Any]) -> None:
    State.open(DataFolder(tmp_path).state_url, migrate=True).close()
    data = ["--data", str(tmp_path)]
    assert "1  " in CliRunner().invoke(app, ["quarantine", "list", *data]).output
    assert '"uid": "exit"' in CliRunner().invoke(app, ["quarantine", "show", "1", *data]).output
    done = CliRunner().invoke(app, ["quarantine", "replay", "1", "--why", "fixed", *data])
    assert (done.exit_code, [path.name for path in (tmp_path / "inbox").iterdir()]) == (0, ["1.replay"])
    assert recorded(tmp_path) == [("quarantine.replayed", "batch 1", "terminal", {"why": "fixed"})]
    with pytest.raises(Problem, match="on its way"):
        CliRunner().invoke(app, ["quarantine", "discard", "1", "--why", "x", *data], catch_exceptions=False)


def test_an_entry_is_kept_once_and_not_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine = Quarantine(tmp_path)
    assert MOST == 10_000
    monkeypatch.setattr("soc_center.quarantine.MOST", 1)
    one = Entry(offset=1, at=1, kind=Kind.RECORDS, why="x", records=[(0, 0)])
    assert [quarantine.keep(one, b"1"), quarantine.keep(one, b"2"), quarantine.blob(1)] == [True, True, b"1"]
    assert not quarantine.keep(Entry(offset=2, at=1, kind=Kind.ALL_RECORDS, why="x"), b"2")
    assert quarantine.keep(Entry(offset=3, at=1, kind=Kind.BATCH, why="x"), b"3")
    assert [entry.offset for entry in quarantine.entries()] == [1, 3]


def test_transports_know_nothing_of_replays() -> None:
    assert own_positions({"replay:4": {"replayed": 4}, "file": {"byte": 1}}) == {"file": {"byte": 1}}


def test_collect_stays_without_the_rule_engine() -> None:
    import subprocess
    import sys

    code = "import sys, soc_center.processes.collect; print(*(m for m in sys.modules if m.startswith('detection')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.dumps(done.stdout.strip()) == '""'
