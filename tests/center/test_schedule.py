"""The clock: when what is due, missed times caught up once, the table built anew, and the process itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_center import kind_list
from soc_center.folder import DataFolder
from soc_center.gauge import now_us, read_gauge
from soc_center.job_kind import kind_names, load_kind
from soc_center.job_place import Cancelled, JobPlace
from soc_center.kind_list import kinds_apart
from soc_center.settings import read_settings
from soc_center.timetable import FIRST_S, Timetable, due_at
from soc_model.job import SCHEDULE, Job, JobState, Schedule
from soc_model.problem import Problem
from soc_store.job_filter import JobFilter
from soc_store.leftovers import Leftover
from tests.center.working import Works
from tests.running import wait_for

S = 1_000_000
HOUR_US = 3600 * S


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def timetable(asked: list[str]) -> Iterator[Timetable]:
    made = Timetable(lambda schedule: asked.append(schedule.kind))
    made.start()
    yield made
    made.stop()


def every(kind: str, every_s: int | None, last_queued: int | None, *, enabled: bool = True) -> Schedule:
    return Schedule(kind=kind, every_s=every_s, enabled=enabled, last_queued=last_queued)


@pytest.mark.parametrize(
    ("every_s", "last", "due"),
    [
        (10, None, 100 + 10),
        (3600, None, 100 + FIRST_S),
        (10, 95, 105),
        (10, 5, 15),  # long past: at once
        (10, 500, 110),  # the clock was set back: no more than an interval away
    ],
)
def test_when_a_schedule_is_due(every_s: int, last: int | None, due: int) -> None:
    assert due_at(every("a", every_s, None if last is None else last * S), 100 * S) == due * S


def test_missed_times_are_caught_up_once(timetable: Timetable, asked: list[str]) -> None:
    now = now_us()
    timetable.build([every("missed", 3600, now - 100 * HOUR_US), every("later", 3600, now)], now)
    wait_for(lambda: asked, 10, "asked")
    timetable.stop()  # waits for what runs
    timetable.start()
    assert asked == ["missed"]


def test_what_is_switched_off_or_has_no_interval_is_not_asked_for(timetable: Timetable, asked: list[str]) -> None:
    now = now_us()
    old = now - 100 * HOUR_US
    timetable.build([every("off", 1, old, enabled=False), every("none", None, old), every("on", 3600, old)], now)
    wait_for(lambda: asked, 10, "asked")
    assert set(asked) == {"on"}


def test_the_table_is_built_anew_only_when_it_changed(timetable: Timetable, asked: list[str]) -> None:
    now = now_us()
    assert timetable.build([every("a", 3600, now)], now)
    assert not timetable.build([every("a", 3600, now + S)], now), "only when it was asked for last is new"
    assert timetable.build([every("a", 1, now - 5 * S)], now)
    wait_for(lambda: asked, 10, "asked after the change")
    assert timetable.build([], now)
    assert timetable.builds == 3


def test_one_that_fails_is_asked_again_the_next_time() -> None:
    tries: list[int] = []

    def ask(schedule: Schedule) -> None:
        tries.append(1)
        raise Problem("state", "is busy")

    timetable = Timetable(ask)
    timetable.start()
    timetable.build([every("a", 1, now_us() - 9 * S)], now_us())
    wait_for(lambda: len(tries) > 1, 20, "asked twice")
    timetable.stop()


def test_every_kind_of_ours_can_be_listed_and_says_what_it_may_take() -> None:
    found = {kind.name: kind for kind in kinds_apart()}
    assert "tidy_state" in found
    assert sorted(found) == kind_names()
    for name, listed in found.items():
        kind = load_kind(name)
        assert (kind.every_s, kind.attempts) == (listed.every_s, listed.attempts)
        assert kind.caps.memory_bytes >= 16 << 20 and kind.caps.time_s > 0 and kind.attempts >= 0


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no list')"])
def test_a_list_of_kinds_that_cannot_be_had_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\n{code}\n")
    fake.chmod(0o700)
    monkeypatch.setattr(kind_list.sys, "executable", str(fake))
    with pytest.raises(Problem, match="cannot be listed"):
        kinds_apart()


def test_the_process_asks_by_the_clock_and_names_a_kind_it_cannot_load(works: Works) -> None:
    works.start("schedule")
    wait_for(works.state.schedules.all, 30, "the kinds taken over")
    assert {each.kind for each in works.state.schedules.all()} >= {"tidy_state", "wait_long"}
    assert "not_loadable cannot be loaded" in works.log("schedule")
    works.state.schedules.change("add_numbers", "ann", now_us(), every_s=1, enabled=True)
    wait_for(lambda: works.jobs.page(JobFilter(kinds=("add_numbers",))).jobs, 30, "a job asked for")
    works.start("work")
    wait_for(lambda: len(works.jobs.page(JobFilter(states=(JobState.DONE,))).jobs) > 1, 30, "two jobs done")
    (one, *_) = works.jobs.page(JobFilter(kinds=("add_numbers",))).jobs
    assert (one.created_by, one.attempts_max) == (SCHEDULE, 3)
    gauge = read_gauge(works.folder.run, "schedule")
    assert gauge is not None and gauge.values["asked"] >= 1


def test_the_process_asks_for_nothing_that_waits_already(works: Works) -> None:
    works.start("schedule")
    wait_for(works.state.schedules.all, 30, "the kinds taken over")
    works.state.schedules.change("add_numbers", "ann", now_us(), every_s=1, enabled=True)

    def often() -> bool:
        gauge = read_gauge(works.folder.run, "schedule")
        return gauge is not None and gauge.values["asked"] >= 3

    wait_for(often, 30, "asked three times")
    assert len(works.jobs.page(JobFilter()).jobs) == 1


def test_the_process_takes_back_what_a_lost_worker_held(works: Works) -> None:
    job_id = works.ask("wait_long")
    works.jobs.lease("gone", now_us() - 60 * S, now_us() - 30 * S)
    works.start("schedule")
    back = works.until(job_id, lambda job: job.state == JobState.QUEUED, "queued again")
    assert (back.attempts, back.error) == (1, "its worker was lost and did not come back")


def test_a_second_schedule_is_refused(works: Works) -> None:
    works.start("schedule")
    wait_for(works.state.schedules.all, 30, "running")
    assert works.start("schedule").wait(30) == 2
    assert "is in use by another process" in works.log("schedule")


def test_a_place_tells_at_most_five_times_a_second_but_always_the_end(works: Works) -> None:
    told: list[tuple[int, int, str]] = []
    place = a_place(works.folder, tell=lambda *one: told.append(one))
    for n in range(1001):
        place.progress(n, 1000, "x")
    assert told[0] == (0, 1000, "x")
    assert told[-1] == (1000, 1000, "x")
    assert len(told) < 100


def test_a_place_that_was_cancelled_says_so_at_once(works: Works) -> None:
    with pytest.raises(Cancelled):
        a_place(works.folder, cancelled=lambda: True).progress(1, 2)


def test_tidying_removes_what_is_old_and_says_how_much(works: Works) -> None:
    now = now_us()
    for n in range(3):
        works.state.make_link(f"{n}", "sign-in", now - (n + 1) * 24 * HOUR_US)
    done = load_kind("tidy_state").run(Job(id=1, kind="tidy_state"), a_place(works.folder, now=lambda: now))
    assert done == {**dict.fromkeys(map(str, Leftover), 0), "links": 2}
    params = {"links_days": 0.5}
    assert load_kind("tidy_state").run(Job(id=1, kind="tidy_state", params=params), a_place(works.folder))["links"] == 1


def a_place(folder: DataFolder, **more: object) -> JobPlace:
    return JobPlace(**{"folder": folder, "settings": read_settings(folder.settings), "now": now_us, **more})  # type: ignore[arg-type]
