"""The page of jobs: parts equal wholes, hostile text stays text, buttons only for who may press them."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_api.console.views.jobs import duration
from soc_model.job import JobState, Schedule
from soc_model.right import Role
from soc_store.job_filter import JobFilter
from tests.api.test_console_pages import PART, Elements
from tests.api.world import HOSTILE, World

SignIn = Callable[..., TestClient]
SYSTEM = Role.SYSTEM_ADMINISTRATOR
JOBS = JobFilter()


@pytest.fixture
def busy(world: World) -> World:
    """One job of each state, all with attackers' text; a schedule on, one without an interval, one not yet known."""
    jobs, now = world.state.jobs, world.now_us
    for end in (JobState.DONE, JobState.FAILED, JobState.CANCELLED, None):
        jobs.enqueue(HOSTILE, {HOSTILE: HOSTILE, "n": [HOSTILE]}, HOSTILE, now)
        held = jobs.lease("w", now, now + 1)
        assert held is not None
        jobs.beat(held.id, "w", now + 1, done=3, total=12, text=HOSTILE)
        if end is not None:
            jobs.finish(held.id, "w", end, now + 75_000_000, error=HOSTILE, result={HOSTILE: HOSTILE})
    jobs.enqueue(HOSTILE, {}, "schedule", now)
    world.state.schedules.adopt([Schedule(kind="tidy", every_s=3600, enabled=True)])
    return world


@pytest.mark.parametrize(
    ("path", "headers"), [("/jobs", {}), ("/jobs", PART), *[(f"/jobs/{n}", {}) for n in range(1, 6)]]
)
def test_hostile_text_of_a_job_stays_text(busy: World, signed_in: SignIn, path: str, headers: dict[str, str]) -> None:
    answer = signed_in().get(path, headers=headers)
    assert answer.status_code == 200
    for tag, attributes in Elements(answer.text).found:
        assert tag != "script" or attributes["src"].startswith("/static/")  # type: ignore[union-attr]
        assert "style" not in attributes
        assert not any(name.startswith("on") or name.startswith("hx-on") for name in attributes), attributes
        assert re.match(r"/|#|$", attributes.get("href") or ""), attributes
    assert not re.search("[\u202e\u202c\x1b\x07]", answer.text)


def test_a_job_shows_state_progress_time_and_error(busy: World, signed_in: SignIn) -> None:
    html = signed_in(SYSTEM).get("/jobs").text
    for state in JobState:
        assert f'class="job-state job-{state}"' in html, state
    assert '<progress class="job-progress" max="12" value="3"' in html
    assert "1 min 15 s" in html
    assert "U+202E" in html


def test_the_part_is_the_table_of_the_page(busy: World, signed_in: SignIn) -> None:
    client = signed_in(SYSTEM)
    part = client.get("/jobs?state=failed", headers=PART).text.strip()
    assert part.startswith('<section id="jobs">')
    assert part in client.get("/jobs?state=failed").text
    assert part.count("job-failed") == part.count("job-cancelled") == 1
    assert "job-done" not in part


@pytest.mark.parametrize(("role", "buttons"), [(SYSTEM, True), (Role.ANALYST, False)])
def test_buttons_are_there_for_who_may_press_them(busy: World, signed_in: SignIn, role: Role, buttons: bool) -> None:
    html = signed_in(role).get("/jobs").text
    for button in ('action="/jobs/4/cancel"', 'action="/jobs/run"', 'action="/jobs/schedules/tidy"'):
        assert (button in html) == buttons, button
    assert 'action="/jobs/1/cancel"' not in html, "it has ended"


def test_cancel_run_and_schedule_do_what_they_say(busy: World, signed_in: SignIn) -> None:
    client = signed_in(SYSTEM)
    assert client.post("/jobs/4/cancel").headers["location"] == "/jobs/4"
    assert "Ending" in client.get("/jobs/4").text
    assert client.post("/jobs/run", data={"kind": "compact"}).status_code == 303
    client.post("/jobs/schedules/tidy", data={"every_s": "90"})
    client.post("/jobs/schedules/tidy", data={"enabled": "false"})
    (tidy,) = busy.state.schedules.all()
    assert (tidy.every_s, tidy.enabled, tidy.changed_by) == (90, False, "tester")
    assert [job.kind for job in busy.state.jobs.page(JOBS, 1).jobs] == ["compact"]


def test_many_jobs_are_paged_and_only_the_first_page_asks_again(world: World, signed_in: SignIn) -> None:
    for _ in range(51):
        world.state.jobs.enqueue("tidy", {}, "schedule", world.now_us)
    client = signed_in(SYSTEM)
    first = client.get("/jobs?state=open").text
    (more,) = re.findall(r'href="(/jobs\?[^"]*cursor=[^"]*)"', first)
    second = client.get(more.replace("&amp;", "&")).text
    assert ("every 3s" in first, "every 3s" in second) == (True, False)
    assert (first.count('href="/jobs/'), second.count('href="/jobs/')) == (50, 1)


def test_both_languages_of_jobs(busy: World, signed_in: SignIn) -> None:
    client = signed_in(SYSTEM)
    chinese = client.get("/jobs", headers={"Accept-Language": "zh-CN"}).text
    assert all(word in chinese for word in ("作业", "运行中", "已完成", "失败", "立即运行", "调度"))
    assert "Run now" in client.get("/jobs").text


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (-5, "0.0 s"),
        (400_000, "0.4 s"),
        (59_400_000, "59 s"),
        (192_000_000, "3 min 12 s"),
        (7_500_000_000, "2 h 5 min"),
    ],
)
def test_durations_are_read_at_a_glance(us: int, text: str) -> None:
    assert duration(us) == text
