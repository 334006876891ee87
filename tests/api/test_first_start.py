"""The first start: one link, used once, opens the center."""

import pytest
from fastapi import FastAPI

from soc_api.app import create_app
from tests.api.conftest import a_client
from tests.api.world import LINK, MINUTE_US, World


@pytest.fixture
def unopened(fresh: World) -> FastAPI:
    return create_app(fresh.services())


@pytest.mark.parametrize("path", ["/", "/alerts", "/sign-in", "/api/v1/alerts", "/api/openapi.json", "/nowhere"])
def test_before_the_first_link_everything_else_waits(unopened: FastAPI, path: str) -> None:
    assert a_client(unopened).get(path).status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/setup/anything", "/static/beacon.svg"])
def test_before_the_first_link_these_answer(unopened: FastAPI, path: str) -> None:
    assert a_client(unopened).get(path).status_code == 200


def test_looking_at_the_link_does_not_use_it_up(fresh: World, unopened: FastAPI) -> None:
    fresh.link()
    client = a_client(unopened)
    for _ in range(3):
        assert '<form method="post">' in client.get(f"/setup/{LINK}").text
    assert client.get("/alerts").status_code == 503
    assert client.post(f"/setup/{LINK}").status_code == 303


def test_the_link_signs_in_with_every_role_and_once_only(fresh: World, unopened: FastAPI) -> None:
    fresh.link()
    first, second = a_client(unopened), a_client(unopened)
    answer = first.post(f"/setup/{LINK}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert first.get("/").headers["location"] == "/alerts"
    assert [first.get(path).status_code for path in ("/alerts", "/events", "/sources", "/health")] == [200] * 4
    assert second.post(f"/setup/{LINK}").status_code == 410
    assert second.get("/alerts").headers["location"] == "/sign-in"


def test_the_link_expires_after_fifteen_minutes(fresh: World, unopened: FastAPI) -> None:
    fresh.link()
    fresh.now_us += 15 * MINUTE_US
    answer = a_client(unopened).post(f"/setup/{LINK}")
    assert answer.status_code == 410
    assert "fengsui link" in answer.text


def test_without_evaluation_no_link_signs_in(fresh: World) -> None:
    fresh.link()
    fresh.evaluation = False
    client = a_client(create_app(fresh.services()))
    assert client.post(f"/setup/{LINK}").status_code == 410
    assert not fresh.state.link_used_ever()


@pytest.mark.parametrize(("secure", "name"), [(False, "fengsui"), (True, "__Host-fengsui")])
def test_the_cookie_is_strict_and_its_token_is_not_kept(fresh: World, secure: bool, name: str) -> None:
    fresh.link()
    client = a_client(create_app(fresh.services(secure_cookie=secure)))
    cookie = client.post(f"/setup/{LINK}").headers["set-cookie"]
    value, *attributes = cookie.split("; ")
    assert value.startswith(f"{name}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(attributes)
    assert ("Secure" in attributes) == secure
    token = value.partition("=")[2]
    assert len(token) >= 43  # 256 bits in base64
    assert fresh.state.session(token, fresh.now_us) is None
