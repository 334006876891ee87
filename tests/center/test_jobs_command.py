"""``fengsui jobs`` as a person or a script uses it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_center.gauge import now_us
from soc_model.job import JobState
from tests.center.working import Works, env


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path / "data")
    yield made
    made.close()


def jobs(works: Works, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "soc_center", "jobs", *arguments, "--data", str(works.folder.root)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**env(), "LOGNAME": "ann"}
    )


def test_a_job_is_run_shown_listed_and_cancelled(works: Works) -> None:
    made = json.loads(jobs(works, "run", "add_numbers", "--params", '{"numbers": [1, 2]}').stdout)
    assert (made["id"], made["state"], made["created_by"], made["attempts_max"]) == (1, "queued", "ann", 3)
    assert json.loads(jobs(works, "run", "add_numbers", "--unless-waiting").stdout)["id"] == 1
    assert json.loads(jobs(works, "show", "1").stdout) == made
    assert [job["id"] for job in json.loads(jobs(works, "list", "--json").stdout)] == [1]
    assert json.loads(jobs(works, "cancel", "1").stdout)["state"] == "cancelled"
    table = jobs(works, "list", "--state", "cancelled").stdout
    assert "add_numbers" in table and "cancelled" in table


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "odd"), "kind: there is no such kind of job; there are add_numbers"),
        (("run", "add_numbers", "--params", "{"), "--params: is no JSON object"),
        (("run", "add_numbers", "--params", '{"numbers": "x"}'), "params.numbers: Expected `array`"),
        (("run", "run_late", "--params", '{"a": 1}'), "params.a: run_late takes no parameters"),
        (("show", "7"), "job 7: is not there"),
        (("cancel", "7"), "job 7: is not there"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(works: Works, arguments: tuple[str, ...], says: str) -> None:
    done = jobs(works, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fengsui: {says}")
    assert len(done.stderr.splitlines()) == 1


def test_hostile_text_does_not_reach_the_terminal_as_control(works: Works) -> None:
    works.jobs.enqueue("add_numbers", {"x": "\x1b[31m\x9b31m城"}, "a\x1b[2Jb", now_us())
    works.jobs.lease("w", now_us(), now_us())
    works.jobs.finish(1, "w", JobState.FAILED, now_us(), error="[bold]\x1b]0;title\x07")
    shown, listed = jobs(works, "show", "1").stdout, jobs(works, "list").stdout
    assert not any(each in shown + listed for each in "\x1b\x07\x9b")
    assert json.loads(shown)["params"]["x"] == "\x1b[31m\x9b31m城"
    assert "[bold]" in json.loads(shown)["error"]


def test_a_folder_without_a_center_is_said_to_be_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "soc_center", "jobs", "list", "--data", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is not there; fengsui up makes it" in done.stderr
    assert list(tmp_path.iterdir()) == []
