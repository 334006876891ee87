"""Jobs over HTTP: asked for by who may, listed in pages, ended on request; the schedule and who changed it."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.job import JobState, Schedule
from soc_model.right import Role
from tests.api.world import World

SignIn = Callable[..., TestClient]
SYSTEM = Role.SYSTEM_ADMINISTRATOR


def test_a_job_is_asked_for_in_the_name_of_who_asks_and_work_is_woken(world: World, signed_in: SignIn) -> None:
    client = signed_in(SYSTEM)
    answer = client.post("/api/v1/jobs", json={"kind": "tidy", "params": {"days": 3}})
    made = answer.json()
    assert (answer.status_code, made["state"], made["created_by"], made["params"]) == (
        200,
        "queued",
        "tester",
        {"days": 3},
    )
    assert client.get(f"/api/v1/jobs/{made['id']}").json() == made
    assert world.woken == ["work"]
    again = client.post("/api/v1/jobs", json={"kind": "tidy", "unless_waiting": True})
    assert again.json()["id"] == made["id"]


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({"kind": "<script>"}, 400, "kind"),
        ({"kind": "tidy", "params": {"x": "y" * 20_000}}, 400, "params"),
        ({"kind": ""}, 422, "kind"),
        ({"kind": "tidy", "priority": 1}, 422, "priority"),
        ({"kind": "tidy", "params": []}, 422, "params"),
        ({}, 422, "kind"),
    ],
)
def test_a_bad_request_names_the_place(
    world: World, signed_in: SignIn, body: dict[str, object], status: int, place: str
) -> None:
    client = signed_in(SYSTEM)
    answer = client.post("/api/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (status, place)
    assert client.get("/api/v1/jobs").json()["jobs"] == []


def test_jobs_are_listed_in_pages_and_by_filter(world: World, signed_in: SignIn) -> None:
    for n in range(5):
        world.state.jobs.enqueue(("tidy", "compact")[n % 2], {}, "ann", world.now_us)
    client = signed_in(Role.ANALYST)
    first = client.get("/api/v1/jobs?limit=2&kind=tidy").json()
    second = client.get(f"/api/v1/jobs?limit=2&kind=tidy&cursor={first['cursor']}").json()
    assert [[job["id"] for job in page["jobs"]] for page in (first, second)] == [[5, 3], [1]]
    assert client.get("/api/v1/jobs?state=running&state=done").json() == {"jobs": [], "cursor": None}
    assert client.get("/api/v1/jobs?state=odd").status_code == 422
    assert client.get("/api/v1/jobs?cursor=odd").status_code == 400
    assert client.get("/api/v1/jobs/kinds").json() == ["compact", "test_rule", "tidy"]


def test_a_job_is_cancelled_once_and_an_unknown_one_not_found(world: World, signed_in: SignIn) -> None:
    job_id = world.state.jobs.enqueue("tidy", {}, "ann", world.now_us).id
    client = signed_in(SYSTEM)
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").json()["state"] == JobState.CANCELLED
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").json()["state"] == JobState.CANCELLED
    assert client.post("/api/v1/jobs/99/cancel").status_code == 404
    assert client.get("/api/v1/jobs/99").status_code == 404


@pytest.mark.parametrize("role", [Role.ANALYST, Role.SECURITY_ADMINISTRATOR])
def test_who_may_only_read_changes_nothing(world: World, signed_in: SignIn, role: Role) -> None:
    world.state.jobs.enqueue("tidy", {}, "ann", world.now_us)
    client = signed_in(role)
    assert client.get("/api/v1/jobs").status_code == client.get("/api/v1/schedules").status_code == 200
    asked = [
        client.post("/api/v1/jobs", json={"kind": "tidy"}),
        client.post("/api/v1/jobs/1/cancel"),
        client.patch("/api/v1/schedules/tidy", json={"enabled": False}),
        client.post("/jobs/run", data={"kind": "tidy"}),
        client.post("/jobs/1/cancel"),
        client.post("/jobs/schedules/tidy", data={"enabled": "false"}),
    ]
    assert {answer.status_code for answer in asked} == {403}
    assert [job["state"] for job in client.get("/api/v1/jobs").json()["jobs"]] == ["queued"]


def test_the_schedule_is_changed_and_says_by_whom(world: World, signed_in: SignIn) -> None:
    world.state.schedules.adopt([Schedule(kind="tidy", every_s=3600, enabled=True), Schedule(kind="compact")])
    client = signed_in(SYSTEM)
    changed = client.patch("/api/v1/schedules/tidy", json={"every_s": 60}).json()
    assert (changed["every_s"], changed["enabled"], changed["changed_by"]) == (60, True, "tester")
    assert [each["kind"] for each in client.get("/api/v1/schedules").json()] == ["compact", "tidy"]
    assert world.woken == ["schedule"]
    assert client.patch("/api/v1/schedules/odd", json={"every_s": 60}).status_code == 404
    assert client.patch("/api/v1/schedules/compact", json={"enabled": True}).status_code == 400
    assert client.patch("/api/v1/schedules/tidy", json={"every_s": 0}).status_code == 422
