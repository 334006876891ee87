"""Roles that cannot be combined by any way in, keys, and the audit record of all of it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, PEOPLE_ROLES, Role, combination_problem
from tests.api.conftest import a_client
from tests.api.world import World

SignIn = Callable[..., TestClient]
SOMEBODY = Actor(name="somebody", person_id=999)
BOTH = ["system_administrator", "audit_administrator"]


def test_an_administrator_stands_alone_and_the_others_combine() -> None:
    for one in PEOPLE_ROLES:
        for two in PEOPLE_ROLES - {one}:
            assert bool(combination_problem({one, two})) == bool({one, two} & ADMINISTRATORS)
    assert combination_problem({Role.EXTERNAL_SYSTEM})


def test_system_and_audit_cannot_be_combined_over_http(signed_in: SignIn, world: World) -> None:
    made = world.person("li.na")
    client = signed_in(Role.SECURITY_ADMINISTRATOR)
    assert client.post(f"/api/v1/people/{made.id}/roles", json={"roles": BOTH}).status_code == 400
    assert client.post(f"/people/{made.id}/roles", data={"role": BOTH}).status_code == 400
    assert world.state.people.one(made.id).roles == frozenset()


def test_system_and_audit_cannot_be_combined_in_the_store(world: World) -> None:
    with pytest.raises(Problem, match="stands alone"):
        world.state.people.make("li.na", frozenset(map(Role, BOTH)), SOMEBODY, world.now_us)
    made = world.person("zhao.min", Role.SYSTEM_ADMINISTRATOR)
    database = sqlite3.connect(Path(world.state._engine.url.database))  # type: ignore[attr-defined]
    with pytest.raises(sqlite3.IntegrityError, match="cannot be combined"):
        database.execute("INSERT INTO person_role VALUES (?, 'audit_administrator')", (made.id,))
    database.close()


def test_the_last_of_each_administrator_stays(world: World) -> None:
    world.administrators()
    for one in world.state.people.all():
        with pytest.raises(Problem, match="the last"):
            world.state.people.set_disabled(one.id, True, SOMEBODY, world.now_us)
        with pytest.raises(Problem, match="the last"):
            world.state.people.set_roles(one.id, frozenset(), None, SOMEBODY, world.now_us)


def test_extra_fields_are_refused_and_roles_are_not_taken_from_them(signed_in: SignIn, world: World) -> None:
    client = signed_in(Role.SYSTEM_ADMINISTRATOR)
    assert client.post("/api/v1/people", json={"name": "li.na", "roles": ["analyst"]}).status_code == 422
    assert client.post("/api/v1/people", json={"name": "li.na"}).status_code == 200
    assert world.state.people.named("li.na").roles == frozenset()


def test_an_administrators_link_is_not_made_by_another_one(signed_in: SignIn, world: World) -> None:
    world.administrators()
    other = world.state.people.named("audit")
    assert signed_in(Role.SYSTEM_ADMINISTRATOR).post(f"/api/v1/people/{other.id}/link").status_code == 400


@pytest.mark.parametrize(("days", "status"), [(89, 200), (90, 401)])
def test_a_key_reads_without_origin_until_it_expires(app: FastAPI, world: World, days: int, status: int) -> None:
    headers = {"Authorization": f"Bearer {world.key(Role.EXTERNAL_SYSTEM)}", "Origin": "http://evil.example"}
    world.now_us += days * 86_400_000_000
    assert a_client(app).get("/api/v1/alerts", headers=headers).status_code == status


def test_a_key_with_a_cookie_is_refused_and_a_revoked_one_is_nothing(signed_in: SignIn, world: World) -> None:
    headers = {"Authorization": f"Bearer {world.key(Role.VIEWER)}"}
    client = signed_in(Role.SECURITY_ADMINISTRATOR)
    assert client.get("/api/v1/alerts", headers=headers).status_code == 400
    assert client.post("/keys/1/revoke").status_code == 303
    assert a_client(client.app).get("/api/v1/alerts", headers=headers).status_code == 401
    assert world.acts()[-1] == "key.revoked"


def test_reading_the_audit_record_is_recorded_once_a_page(signed_in: SignIn, world: World) -> None:
    page = signed_in(Role.AUDIT_ADMINISTRATOR).get("/audit")
    assert page.status_code == 200
    assert world.acts().count("audit.read") == 1


def test_the_audit_record_cannot_be_changed_and_tells_when_it_was(world: World) -> None:
    world.person("li.na")
    assert world.state.audit.verify().faults == []
    database = sqlite3.connect(Path(world.state._engine.url.database))  # type: ignore[attr-defined]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute("UPDATE audit SET actor = 'x'")
    database.execute("DROP TRIGGER audit_no_update")
    database.execute("UPDATE audit SET actor = 'x' WHERE seq = 2")
    database.commit()
    database.close()
    assert world.state.audit.verify().faults == ["entry 2: is not as it was written"]
