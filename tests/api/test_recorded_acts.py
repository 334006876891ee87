"""What people do with jobs, rules and assets stands in the audit record; what changed nothing does not."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.audit import Act, AuditEntry, AuditFilter
from soc_model.job import Schedule
from tests.api.world import World, a_sighting


def entries(world: World, act: Act) -> list[AuditEntry]:
    return world.state.audit.entries(AuditFilter(act=act))


def test_asking_for_a_job_and_cancelling_it(world: World, signed_in: Callable[..., TestClient]) -> None:
    client = signed_in()
    for _ in range(2):  # the second time it waits already
        client.post("/api/v1/jobs", json={"kind": "tidy", "unless_waiting": True})
    assert [client.post("/api/v1/jobs/1/cancel").status_code for _ in range(2)] == [200, 200]
    asked, cancelled = (entries(world, act) for act in (Act.JOB_ASKED, Act.JOB_CANCELLED))
    assert [(one.actor, one.subject, one.detail, one.at) for one in asked] == [
        ("tester", "job 1", {"kind": "tidy"}, world.now_us)
    ]
    assert [(one.actor, one.subject) for one in cancelled] == [("tester", "job 1")]


def test_what_the_clock_asks_for_is_nobodys_act(world: World) -> None:
    made = world.state.jobs.enqueue("tidy", {}, "", world.now_us)
    world.state.jobs.request_cancel(made.id, world.now_us)
    assert [act for act in world.acts() if act.startswith("job.")] == []


def test_a_changed_schedule(world: World, signed_in: Callable[..., TestClient]) -> None:
    world.state.schedules.adopt([Schedule(kind="tidy", every_s=60, enabled=True)])
    assert signed_in().patch("/api/v1/schedules/tidy", json={"enabled": False}).status_code == 200
    [found] = entries(world, Act.SCHEDULE_CHANGED)
    assert (found.actor, found.subject, found.detail) == ("tester", "tidy", {"every_s": "60", "enabled": "no"})


def test_a_described_asset_and_not_one_that_stays_as_it_was(world: World, signed_in: Callable[..., TestClient]) -> None:
    world.sight(a_sighting("host", "web-01", world.now_us))
    client = signed_in()
    [asset] = client.get("/api/v1/assets").json()["assets"]
    for _ in range(2):
        assert client.patch(f"/api/v1/assets/{asset['id']}", json={"owner": "zhao.min"}).status_code == 200
    [found] = entries(world, Act.ASSET_DESCRIBED)
    assert (found.actor, found.subject, found.detail) == ("tester", "web-01", {"owner": "- → zhao.min"})


def test_rules_read_again(world: World, signed_in: Callable[..., TestClient]) -> None:
    assert signed_in().post("/api/v1/rules/reload").status_code == 202
    [found] = entries(world, Act.RULES_RELOADED)
    assert (found.actor, found.subject, world.reloads) == ("tester", "rules", ["tester"])


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_act_has_a_name_on_the_page(world: World, signed_in: Callable[..., TestClient], language: str) -> None:
    client = signed_in()
    client.cookies.set("language", language)
    page = client.get("/audit").text
    assert [act for act in Act if f'<option value="{act.value}"' not in page] == []
