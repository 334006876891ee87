"""Every endpoint declares exactly one right or is on the public list; every role, and a key, meets every endpoint."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_api.rights import PUBLIC, check_rights, endpoints, needs
from soc_model.right import KEY_ROLES, PEOPLE_ROLES, Right, Role, rights_of
from tests.api.conftest import a_client
from tests.api.world import World, seed

STREAM = "/api/v1/stream"  # answers without end to those who may read it; test_stream reads it


def test_no_endpoint_is_without_exactly_one_right_unless_public(app: FastAPI) -> None:
    found = list(endpoints(app))
    assert len(found) > 40
    for endpoint in found:
        assert len(endpoint.rights) == (0 if endpoint[:2] in PUBLIC else 1), endpoint


def test_the_public_list_names_nothing_that_is_not_there(app: FastAPI) -> None:
    assert {endpoint[:2] for endpoint in endpoints(app)} >= PUBLIC


def test_an_app_with_an_undeclared_endpoint_is_refused(app: FastAPI) -> None:
    app.add_api_route("/forgotten", lambda: "open to all")
    with pytest.raises(RuntimeError, match="/forgotten"):
        check_rights(app)


def test_an_endpoint_with_two_rights_is_refused(app: FastAPI) -> None:
    twice = [needs(Right.ALERTS_READ), needs(Right.EVENTS_READ)]
    app.add_api_route("/twice", lambda: "which?", dependencies=twice)
    with pytest.raises(RuntimeError, match="/twice"):
        check_rights(app)


@pytest.mark.parametrize("role", sorted(PEOPLE_ROLES))
def test_each_role_gets_what_its_rights_say(
    app: FastAPI, world: World, signed_in: Callable[..., TestClient], role: Role
) -> None:
    seed(world, 2)
    client = signed_in(role)
    for endpoint in endpoints(app):
        if endpoint[:2] in PUBLIC:
            continue
        allowed = endpoint.rights[0] in rights_of({role})
        if endpoint.path == STREAM and allowed:
            continue
        client.cookies.set("fengsui", world.session(role))  # some endpoints end it
        answer = client.request(endpoint.method, _filled(endpoint.path))
        assert (answer.status_code == 403) == (not allowed), (role, endpoint, answer.status_code)
        assert answer.status_code not in (401, 500), (role, endpoint)


@pytest.mark.parametrize("role", sorted(KEY_ROLES))
def test_a_key_gets_what_its_role_says_on_the_api_and_nothing_elsewhere(app: FastAPI, world: World, role: Role) -> None:
    seed(world, 2)
    client, token = a_client(app), world.key(role)
    for endpoint in endpoints(app):
        if endpoint[:2] in PUBLIC:
            continue
        allowed = endpoint.path.startswith("/api/") and endpoint.rights[0] in world.key_rights(role)
        if endpoint.path == STREAM and allowed:
            continue
        answer = client.request(endpoint.method, _filled(endpoint.path), headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code in (401, 403)) == (not allowed), (role, endpoint, answer.status_code)
        assert answer.status_code != 500


def test_strangers_get_nothing_but_what_is_public(app: FastAPI, client: TestClient) -> None:
    for endpoint in endpoints(app):
        if endpoint[:2] in PUBLIC:
            continue
        answer = client.request(endpoint.method, _filled(endpoint.path))
        expected = 401 if endpoint.path.startswith(("/api/", "/metrics")) else 303
        assert answer.status_code == expected, endpoint


def test_the_audit_record_is_for_the_audit_administrator_alone() -> None:
    assert [role for role in Role if Right.AUDIT_READ in rights_of({role})] == [Role.AUDIT_ADMINISTRATOR]
    assert rights_of({Role.AUDIT_ADMINISTRATOR}) & {Right.PEOPLE_MANAGE, Right.ROLES_GRANT, Right.ALERTS_WORK} == set()


def test_nobody_makes_accounts_and_grants_roles() -> None:
    for role in Role:
        assert not {Right.PEOPLE_MANAGE, Right.ROLES_GRANT} <= rights_of({role})


def _filled(path: str) -> str:
    for name in ("alert_id", "person_id", "key_id", "job_id"):
        path = path.replace(f"{{{name}}}", "1")
    for name in ("event_id", "asset_id", "rule_id"):
        path = path.replace(f"{{{name}}}", "0" * 32)
    return path.replace("{token}", "x").replace("{kind}", "x").replace("{session_id}", "0" * 16)
