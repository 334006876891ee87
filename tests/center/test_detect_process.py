"""Detection with its forked workers: nothing stops it for ever, and only what cannot be decided is set apart."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soc_center.folder import DataFolder
from soc_center.processes.detect import Detection
from soc_center.processes.detect_worker import FIRST_S
from soc_center.processes.forked_worker import GROWTH_BYTES, OPEN_FILES
from soc_center.quarantine import Kind, Quarantine
from soc_model.outcome import Outcome
from soc_model.problem import Problem
from soc_store.journal import JournalReader
from soc_store.outcome_log import OutcomeLog, encode_outcome
from tests.center.detection_run import decided, snapshot_of, write_journal
from tests.running import alive, wait_for

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits and proc files of Linux")


def marked(uid: str) -> str:
    return json.dumps({"marker": "kill-test", "uid": uid})


def command(tmp_path: Path, **plan: Any) -> list[str]:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    return [sys.executable, "-m", "tests.center.detection_run", str(tmp_path), str(path)]


def run(tmp_path: Path, **plan: Any) -> dict[str, Any]:
    """What came of a plan; the process says exactly one line. ``told`` is its log."""
    done = subprocess.run(command(tmp_path, **plan), cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    [line] = done.stdout.splitlines()
    return {**json.loads(line), "told": done.stderr}


def flags(found: dict[str, Any], offset: int) -> dict[str, str]:
    """By uid: the flags of the batch's records."""
    return {json.loads(raw)["uid"]: words for raw, words in found["outcomes"][str(offset)]["rows"]}


DAMAGE = {
    "cut off": "UPDATE entry SET blob = substr(blob, 1, 40) WHERE offset = 2",
    "no batch": "UPDATE entry SET blob = x'00ff' WHERE offset = 2",
    "another's": "UPDATE entry SET blob = (SELECT blob FROM entry WHERE offset = 1) WHERE offset = 2",
}


@pytest.mark.parametrize("sql", DAMAGE.values(), ids=DAMAGE)
def test_an_unreadable_batch_is_put_aside_and_the_next_is_decided(tmp_path: Path, sql: str) -> None:
    found = run(tmp_path, batches=[[marked("a")], [marked("b")], [marked("c")]], edits=[sql])
    assert (found["written"], found["worker_restarts"], found["quarantined_batches"]) == (3, 0, 1)
    assert [one["findings"] for one in found["outcomes"].values()] == [1, 0, 1]
    reader = JournalReader(tmp_path / "journal")
    [_, (_, blob), _] = reader.read(0)
    reader.close()
    kept = list((tmp_path / "quarantine").glob("*.blob"))
    assert [(path.name, path.read_bytes()) for path in kept] == [("2.blob", blob)]


@pytest.mark.parametrize(("what", "restarts"), [("exit", 3), ("spin", 3), ("match", 3), ("raise", 2), ("grow", 2)])
def test_only_the_record_that_stops_its_worker_is_kept_raw(tmp_path: Path, what: str, restarts: int) -> None:
    batch = [marked("a"), marked(what), marked("b")]
    quick = {"BATCH_S": 1.0, "FIRST_S": 2.0, "POLL_S": 0.1}
    found = run(tmp_path, batches=[[marked("x")], batch, [marked("y")]], constants=quick, workers=1)
    assert (found["written"], found["worker_restarts"], found["quarantined_batches"]) == (3, restarts, 0)
    assert found["careful_batches"] == 1
    words = flags(found, 2)
    assert {uid for uid in words if "quarantined" in words[uid]} == {what}
    assert [uid for uid, _ in words.items()] == ["a", what, "b"]
    assert [one["findings"] for one in found["outcomes"].values()] == [1, 2, 1]
    assert found["outcomes"]["2"]["alarms"] == [["high", "u", "s", {"raw": marked(what)}]]
    assert found["outcomes"]["2"]["counted"] == 3


def test_workers_tell_how_their_caches_do(tmp_path: Path) -> None:
    found = run(tmp_path, batches=[[marked("a")]] * 6, constants={"COUNTERS_S": 0.0}, workers=1)
    assert set(found["caches"]) == {"values", "combinations", "event_types", "regex_steps"}
    regex_steps = found["caches"].pop("regex_steps")
    assert regex_steps["hits"] >= regex_steps["misses"] >= 0  # only expressions that run alone take steps
    for counts in found["caches"].values():
        assert counts["misses"] >= 1
        assert counts["hits"] >= 4
        assert counts["evicted"] == 0


def test_a_batch_of_too_many_such_records_is_kept_raw(tmp_path: Path) -> None:
    batch = [marked("a"), *(marked(f"exit{i}") for i in range(4))]
    found = run(tmp_path, batches=[batch], constants={"RAW_RECORDS": 2, "BACK_OFF_S": 0.0}, workers=1)
    assert (found["worker_restarts"], found["quarantined_batches"]) == (2 + 2 + 1, 1)
    assert {word for words in flags(found, 1).values() for word in words.split()} >= {"unparsed", "quarantined"}
    assert all("quarantined" in words for words in flags(found, 1).values())
    assert [entry.kind for entry in Quarantine(tmp_path / "quarantine").entries()] == [Kind.ALL_RECORDS]


def test_up_to_that_many_each_is_named(tmp_path: Path) -> None:
    batch = [marked("a"), *(marked(f"exit{i}") for i in range(5)), marked("z")]
    found = run(tmp_path, batches=[batch], constants={"BACK_OFF_S": 0.0}, workers=1)
    assert (found["quarantined_batches"], found["quarantined_records"]) == (0, 5)
    assert found["outcomes"]["1"]["findings"] == 2


def test_a_batch_that_stops_workers_even_unparsed_is_put_aside(tmp_path: Path) -> None:
    few = {"RAW_RECORDS": 0, "BACK_OFF_S": 0.1}
    found = run(tmp_path, batches=[[marked("exit")], [marked("a")]], raw_kills=True, constants=few, workers=1)
    assert (found["written"], found["quarantined_batches"]) == (2, 1)
    assert [one["findings"] for one in found["outcomes"].values()] == [0, 1]
    assert [path.name for path in (tmp_path / "quarantine").glob("*.blob")] == ["1.blob"]
    [[level, unit, source, matched]] = found["outcomes"]["1"]["alarms"]
    assert (level, unit, source, matched["batch"]) == ("high", "", "fengsui", "quarantine/1.blob")


def test_workers_that_never_live_are_started_once_a_second(tmp_path: Path) -> None:
    found = run(tmp_path, batches=[], later=[[marked("a")]], born_dead=True, workers=1, seconds=3)
    assert 3 <= found["worker_restarts"] <= 3 + 4


def test_a_parent_that_is_held_up_blames_nobody(tmp_path: Path) -> None:
    noise = [os.urandom(400).hex() for _ in range(250)]
    batches = [[json.dumps({"marker": "kill-test", "noise": one}) for one in noise] for _ in range(3)]
    found = run(tmp_path, batches=batches, constants={"BATCH_S": 0.5, "FIRST_S": 0.5}, stall_s=0.8, workers=1)
    assert (found["written"], found["worker_restarts"], found["quarantined_batches"]) == (3, 0, 0)


def test_a_failed_start_of_a_worker_never_runs_the_parents_code(tmp_path: Path) -> None:
    found = run(tmp_path, later=[[marked("a")]], fork_fails=True, seconds=1, workers=1)
    assert found["worker_restarts"] >= 1


def test_few_open_files_are_enough(tmp_path: Path) -> None:
    few = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *command(tmp_path, batches=[["{}"]])]
    done = subprocess.run(few, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert (found["written"], found["worker_restarts"]) == (1, 0)


@pytest.fixture
def spinning(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A process of detect and the id of its one worker, which is busy for ever."""
    plan = command(tmp_path, tell_workers=True, later=[[marked("spin")]], workers=1, seconds=60)
    process = subprocess.Popen(plan, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    [pid] = json.loads(process.stdout.readline())["pids"]
    yield process, pid
    process.kill()
    process.wait()
    process.stdout.close()
    if alive(pid):
        os.kill(pid, signal.SIGKILL)


@linux_only
def test_a_busy_worker_does_not_outlive_its_parent(spinning: "tuple[subprocess.Popen[str], int]") -> None:
    process, pid = spinning
    wait_for(lambda: "R" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0], 20, "it is busy")
    process.kill()
    wait_for(lambda: not alive(pid), 5, "the worker gone")


@linux_only
def test_a_worker_is_confined(spinning: "tuple[subprocess.Popen[str], int]") -> None:
    process, pid = spinning

    def limit(kind: int) -> int:
        return resource.prlimit(pid, kind)[1]

    wait_for(lambda: limit(resource.RLIMIT_NOFILE) == OPEN_FILES, 10, "few open files")
    assert limit(resource.RLIMIT_CORE) == 0
    wait_for(lambda: 0 < resource.prlimit(pid, resource.RLIMIT_CPU)[0] <= 2 * FIRST_S + 2, 10, "little processor time")
    mapped = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    assert GROWTH_BYTES <= limit(resource.RLIMIT_AS) <= GROWTH_BYTES + 2 * mapped
    assert sorted(path.name for path in Path(f"/proc/{pid}/fd").iterdir()) == ["0", "1", "2", "3", "4"]


def test_the_kernel_ends_a_worker_whose_parent_does_not_look(tmp_path: Path) -> None:
    quick = {"FIRST_S": 0.5, "BATCH_S": 0.5}
    found = run(tmp_path, batches=[[marked("spin")]], constants=quick, stall_s=1.5, seconds=4, workers=1)
    assert f"ended (status {int(signal.SIGALRM)})" in found["told"]


def behind(folder: DataFolder, offset: int) -> None:
    """An outcome log that ends at ``offset``."""
    log = OutcomeLog.open(folder.outcomes)
    nothing = Outcome(offset=offset, received=1, snapshot="x", findings=[], cards={}, stats=[], blocks=[])
    log.append([encode_outcome(nothing)])
    log.close()


@pytest.mark.parametrize("batches", [0, 2])
def test_a_journal_that_is_behind_the_outcomes_is_refused(tmp_path: Path, batches: int) -> None:
    folder = DataFolder(tmp_path).make()
    write_journal(folder, [["{}"]] * batches)
    behind(folder, 3)
    for _ in range(2):  # the second time too: nothing is left open
        with pytest.raises(Problem, match=rf"journal: ends at batch {batches}, but batch 3 was decided already"):
            Detection(folder, snapshot_of(tmp_path), 1)


def test_a_journal_that_is_as_far_as_the_outcomes_is_followed(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path).make()
    write_journal(folder, [["{}"]] * 3)
    behind(folder, 3)
    found = run(tmp_path, later=[["{}"]] * 2, until=5, workers=1)
    assert found["written"] == 5
    assert list(decided(folder)) == ["3", "4", "5"]


def test_without_a_journal_detection_waits_for_it(tmp_path: Path) -> None:
    found = run(tmp_path, later=[[marked("a")]], workers=1)
    assert (found["written"], found["outcomes"]["1"]["findings"]) == (1, 1)


def test_a_journal_that_is_lost_meanwhile_is_refused(tmp_path: Path) -> None:
    found = run(tmp_path, batches=[["{}"]] * 3, lose_journal=True, workers=1)
    assert "journal: ends at batch 1, but batch 3 was decided already" in found["problem"]
