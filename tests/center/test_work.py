"""work: jobs in processes of their own, and everything that may go wrong with them, by real processes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_center.gauge import now_us, read_gauge
from soc_model.job import JobState
from tests.center.working import Works
from tests.running import alive, wait_for


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def busy(works: Works) -> Works:
    works.start("work")
    return works


def grandchild(works: Works) -> int:
    path = works.folder.root / "grandchild"
    return int(wait_for(lambda: path.exists() and path.read_text(), 30, "a process started by the job"))


def test_a_job_is_done_with_its_result_and_progress(busy: Works) -> None:
    done = busy.ended(busy.ask("add_numbers", numbers=[1, 2, 39]))
    assert (done.state, done.result, done.error) == (JobState.DONE, {"sum": 42}, "")
    assert (done.progress_done, done.progress_total, done.progress_text) == (3, 3, "<b>39</b>")
    assert done.started is not None and done.finished is not None and done.created <= done.started <= done.finished
    assert (done.attempts, done.lease_until) == (0, None)
    assert "what a kind prints" in busy.log("work")


@pytest.mark.parametrize(
    ("kind", "params", "why"),
    [
        ("end_badly", {"how": "problem"}, r"here: is something wrong \ud800"),
        ("end_badly", {"how": "error"}, "ValueError: a mistake"),
        ("end_badly", {"how": "files"}, "Too many open files"),
        ("end_badly", {"how": "large"}, "the result is over 1 MiB"),
        ("end_badly", {"how": 7}, "params.how: Expected `str`, got `int`"),
        ("no_such_kind", {}, "kind: there is no such kind of job; there are "),
        ("not_loadable", {}, "RuntimeError: broken while it is written"),
        ("tidy_state", {"other": 1}, "unknown field `other`"),
        ("run_late", {}, "took longer than its 1 s"),
        ("eat_memory", {}, "needed more than its 64 MiB of memory"),
    ],
)
def test_a_job_that_cannot_be_done_fails_with_the_reason(
    busy: Works, kind: str, params: dict[str, object], why: str
) -> None:
    ended = busy.ended(busy.ask(kind, **params))
    assert (ended.state, ended.attempts) == (JobState.FAILED, 0)
    assert why in ended.error


def test_a_job_whose_process_falls_is_tried_again_and_then_failed(busy: Works) -> None:
    ended = busy.ended(busy.ask("end_badly", how="signal"))
    assert (ended.state, ended.attempts) == (JobState.FAILED, 2)
    assert ended.error == "its process ended (signal 9, SIGKILL); tried 2 times"


@pytest.mark.parametrize("deaf", [False, True])
def test_a_job_ends_when_it_is_cancelled_with_all_that_it_started(busy: Works, deaf: bool) -> None:
    job_id = busy.ask("wait_long", deaf=deaf)
    busy.until(job_id, lambda job: job.progress_text == "waiting", "said how far it is")
    left = grandchild(busy)
    busy.jobs.request_cancel(job_id, now_us())
    assert busy.ended(job_id).state == JobState.CANCELLED
    assert wait_for(lambda: not alive(left), 10, "the job's own process gone")


def test_a_killed_worker_takes_its_job_with_it_and_the_next_one_does_it_again(works: Works) -> None:
    first = works.start("work")
    job_id = works.ask("wait_long")
    held = works.until(job_id, lambda job: job.progress_done, "running")
    gauge = wait_for(lambda: (g := read_gauge(works.folder.run, "work")) and g.values["worker_pids"] and g, 20, "a pid")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (pid,) = gauge.values["worker_pids"]
    assert wait_for(lambda: not alive(pid), 10, "the job's process gone")
    assert works.jobs.lease("another", now_us(), now_us() + 1) is None, "the lease still holds"
    assert held.lease_until is not None
    assert works.jobs.reclaim(held.lease_until + 60_000_000) == [job_id]
    works.start("work")
    again = works.until(job_id, lambda job: job.progress_done and job.state == JobState.RUNNING, "running again")
    assert (again.attempts, again.worker != held.worker) == (1, True)


def test_a_worker_that_stops_gives_its_job_back_unharmed(works: Works) -> None:
    first = works.start("work")
    job_id = works.ask("wait_long")
    works.until(job_id, lambda job: job.progress_done, "running")
    first.terminate()
    assert first.wait(20) == 0
    back = works.job(job_id)
    assert (back.state, back.attempts, back.worker, back.lease_until) == (JobState.QUEUED, 0, "", None)


def test_two_workers_do_each_job_once(works: Works) -> None:
    ids = [works.ask("add_numbers", numbers=[n]) for n in range(8)]
    works.start("work")
    works.start("work")
    assert [works.ended(job_id, 60).result for job_id in ids] == [{"sum": n} for n in range(8)]
    assert sorted(map(int, (works.folder.root / "ran").read_text().split())) == ids
    assert {path.name for path in works.folder.run.glob("work*.json")} == {"work.json", "work-2.json"}


def test_a_job_that_is_no_longer_held_is_ended_and_changes_nothing(busy: Works) -> None:
    job_id = busy.ask("wait_long")
    held = busy.until(job_id, lambda job: job.progress_done, "running")
    assert held.lease_until is not None
    # As after a long sleep of the machine: the schedule has taken the job back, and gives it up.
    for _ in range(2):
        busy.jobs.reclaim(held.lease_until + 600_000_000)
        if busy.job(job_id).state == JobState.QUEUED:
            busy.jobs.request_cancel(job_id, now_us())
    wait_for(lambda: "stopped" in busy.log("work") or "lost" in busy.log("work"), 20, "the job's process ended")
    assert busy.job(job_id).state == JobState.CANCELLED
