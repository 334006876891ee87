"""Indicators in the center: imported by a job, exchanged between batches, asked for on the terminal."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc_center.folder import DataFolder
from soc_center.indicator_command import indicators_app
from soc_center.indicator_folder import current_path, open_current
from soc_center.indicator_import import INCOMING, ImportRequest, import_feed, remove_feed
from soc_center.indicator_search import search
from soc_center.indicator_watch import IndicatorWatch
from soc_center.job_place import JobPlace
from soc_center.job_request import request_job
from soc_center.settings import Settings
from soc_model.audit import AuditFilter
from soc_model.problem import Problem
from soc_store.state import State
from tests.center.test_detect_process import run as run_detection

UPLOAD = "0" * 32


def place(data: Path) -> JobPlace:
    settings = Settings(version=1, name="t", units=[], sources=[])
    return JobPlace(folder=DataFolder(data).make(), settings=settings, now=lambda: 1_790_000_000_000_000)


def imported(where: JobPlace, text: str, feed: str = "f", **more: Any) -> dict[str, Any]:
    incoming = where.folder.indicators / INCOMING / UPLOAD
    incoming.mkdir(parents=True)
    (incoming / "feed.csv").write_text(text)
    return import_feed(ImportRequest(upload=UPLOAD, feed=feed, **more), where, "tester")


def values(where: JobPlace) -> set[tuple[str, str]]:
    found = open_current(where.folder.indicators, verify=True)
    return {(feed.name, one.value) for feed in found.feeds for one in found.of_feed(feed.name)} if found else set()


def test_an_import_replaces_its_feed_only_and_says_what_it_refused(tmp_path: Path) -> None:
    where = place(tmp_path)
    imported(where, "a.example\nb.example\n")
    imported(where, "c.example\n", feed="g")
    told = imported(where, "b.example\n0.0.0.0/0\nb.example\n")
    assert values(where) == {("f", "b.example"), ("g", "c.example")}
    assert (told["indicators"], told["read"], told["taken"], told["twice"], told["refused"]) == (1, 3, 2, 1, 1)
    assert told["refusals"][0].startswith("feed.csv:2: 0.0.0.0/0 is wider")
    imported(where, "d.example\n", add=True)
    assert values(where) == {("f", "b.example"), ("f", "d.example"), ("g", "c.example")}
    assert remove_feed("f", where) == {"removed": 2, "indicators": 1}
    assert values(where) == {("g", "c.example")}
    assert len(list(where.folder.indicators.glob("*.set"))) == 2


@pytest.mark.parametrize("text", ["10.0.0.1\nlocalhost\n", "", '"value",type\n'])
def test_an_import_of_nothing_changes_nothing(tmp_path: Path, text: str) -> None:
    where = place(tmp_path)
    imported(where, "a.example\n")
    before = current_path(where.folder.indicators)
    with pytest.raises(Problem, match="nothing in it can be taken"):
        imported(where, text)
    assert (current_path(where.folder.indicators), values(where)) == (before, {("f", "a.example")})
    assert not (where.folder.indicators / INCOMING / UPLOAD).exists()


@pytest.mark.parametrize(
    "wrong",
    [{"feed": "../x"}, {"feed": "F"}, {"format": "pdf"}, {"confidence": 101}, {"days": -1}, {"upload": "../../etc"}],
)
def test_a_wrong_request_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(Problem, match=next(iter(wrong))):
        import_feed(ImportRequest(**{"upload": UPLOAD, "feed": "f"} | wrong), place(tmp_path), "tester")


KILLED = """
import os, signal, sys
from pathlib import Path
from soc_store import indicator_builder
from tests.center.test_indicators import imported, place
real, wanted, seen = os.fsync, int(sys.argv[2]), []
where = place(Path(sys.argv[1]))
def counted(fd):
    seen.append(fd)
    if len(seen) == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
    real(fd)
os.fsync = counted
imported(where, "new.example\\n")
"""


@pytest.mark.parametrize("moment", range(1, 7))
def test_a_killed_import_leaves_the_set_before_or_the_new_one(tmp_path: Path, moment: int) -> None:
    where = place(tmp_path)
    imported(where, "old.example\n")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(moment)], check=False)
    assert ended.returncode in (0, -signal.SIGKILL)
    assert values(where) in ({("f", "old.example")}, {("f", "new.example")})
    assert moment > 1 or values(where) == {("f", "old.example")}
    shutil.rmtree(where.folder.indicators / INCOMING / UPLOAD, ignore_errors=True)
    imported(where, "next.example\n")
    assert values(where) == {("f", "next.example")}
    assert not list(where.folder.indicators.glob("new-*"))


def test_a_damaged_set_leaves_the_last_right_one_in_force(tmp_path: Path) -> None:
    where, clock = place(tmp_path), [0.0]
    imported(where, "a.example\n")
    watch = IndicatorWatch(where.folder, lambda: clock[0])
    first = watch.indicators
    imported(where, "b.example\n")
    watch.look()
    assert watch.indicators is first  # at most once a minute
    path = current_path(where.folder.indicators)
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\xff")
    clock[0] = 61.0
    watch.look()
    assert (watch.indicators is first, "damaged" in watch.problem) == (True, True)
    path.write_bytes(whole)
    clock[0] = 122.0
    watch.look()
    assert (watch.indicators.id, watch.problem) == (path.stem, "")


def test_each_batch_is_decided_once_under_one_set_while_sets_are_exchanged(tmp_path: Path) -> None:
    units = [{"id": unit, "name": unit} for unit in "uvw"]
    (tmp_path / "fengsui.yml").write_text(yaml.safe_dump({"version": 1, "name": "t", "units": units, "sources": []}))
    where = place(tmp_path)
    imported(where, "first.example\n")
    first = current_path(where.folder.indicators)
    record = json.dumps({"destination": {"domain": "www.second.example"}})
    found = run_detection(
        tmp_path,
        batches=[[record]] * 6,
        between={"at": 6, "zones": "", "import": "second.example\n", "batches": [[record]] * 12},
        constants={"LOOK_S": 0.0},
        until=18,
    )
    second, outcomes = current_path(where.folder.indicators), found["outcomes"]
    assert first and second and first != second
    assert [int(offset) for offset in outcomes] == list(range(1, 19))
    sets = [outcomes[str(offset)]["indicators"] for offset in range(1, 19)]
    assert (sets[:6], sets[-1]) == ([first.stem] * 6, second.stem)
    hits = [outcomes[str(offset)]["findings"] for offset in range(1, 19)]
    assert hits == [int(one == second.stem) + min(hits) for one in sets]
    assert (found["worker_restarts"], found["indicators"]) == (0, second.stem)


def test_the_terminal_asks_records_and_shows(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    where, runner = place(tmp_path), CliRunner()
    State.open(where.folder.state_url, migrate=True).close()
    (tmp_path / "list.txt").write_text("evil.example\n")
    data = ["--data", str(tmp_path)]
    asked = runner.invoke(indicators_app, ["import", str(tmp_path / "list.txt"), "--feed", "city", *data])
    assert (asked.exit_code, "job 1 is queued" in asked.output) == (0, True)
    state = State.open(where.folder.state_url)
    job = state.jobs.get(1)
    assert job is not None
    import_feed(ImportRequest(**job.params), where, job.created_by)
    shown = runner.invoke(indicators_app, ["show", "hxxp://www[.]evil[.]example/x", "--json", *data])
    assert [one["value"] for one in json.loads(shown.output)] == ["evil.example"]
    assert runner.invoke(indicators_app, ["show", "good.example", *data]).exit_code == 1
    assert "city" in runner.invoke(indicators_app, ["list", *data]).output
    assert runner.invoke(indicators_app, ["remove", "city", *data]).exit_code == 0
    acts = [entry.act.value for entry in state.audit.entries(AuditFilter())]
    state.close()
    assert {"indicators.imported", "indicators.removed"} <= set(acts)


def test_the_general_door_for_jobs_is_shut(tmp_path: Path) -> None:
    where = place(tmp_path)
    state = State.open(where.folder.state_url, migrate=True)
    for kind in ("import_indicators", "remove_indicators"):
        with pytest.raises(Problem, match="a right of its own"):
            request_job(state.jobs, where.folder.run, kind, {"feed": "f"}, "somebody")
    state.close()
    assert search(where.folder.indicators, "evil.example") == []
