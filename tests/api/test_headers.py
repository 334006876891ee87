"""The policy stands on every response, whatever kind it is."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_api.app import create_app
from soc_api.headers import CONTENT_SECURITY_POLICY
from tests.api.conftest import a_client
from tests.api.world import World

CASES = [
    ("/alerts", 200),
    ("/api/v1/alerts", 200),
    ("/nowhere", 404),
    ("/api/v1/nowhere", 404),
    ("/alerts/999", 404),
    ("/alerts?since=nonsense", 400),
    ("/api/v1/alerts?limit=0", 422),
    ("/static/console.css", 200),
    ("/static/nowhere.css", 404),
    ("/static/../app.py", 404),
    ("/healthz", 200),
    ("/", 303),
]


@pytest.mark.parametrize(("path", "status"), CASES)
def test_every_response_carries_the_policy(signed_in: Callable[..., TestClient], path: str, status: int) -> None:
    answer = signed_in().get(path)
    assert answer.status_code == status
    assert_policy(answer.headers)


def test_refusals_before_the_app_carry_the_policy(fresh: World) -> None:
    client = a_client(create_app(fresh.services()))
    for answer in (client.get("/alerts"), client.get("/", headers={"Host": "evil.example"})):
        assert answer.status_code in (400, 503)
        assert_policy(answer.headers)


def test_a_mistake_of_ours_carries_the_policy_and_no_detail(world: World) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    app: FastAPI = create_app(world.services(health=broken))
    client = a_client(app)
    client.cookies.set("fengsui", world.session("system_administrator"))
    for path in ("/health", "/api/v1/health"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert_policy(answer.headers)


def test_only_static_files_may_be_cached(signed_in: Callable[..., TestClient]) -> None:
    client = signed_in()
    assert client.get("/alerts").headers["cache-control"] == "no-store"
    assert client.get("/api/v1/alerts").headers["cache-control"] == "no-store"
    assert "immutable" in client.get("/static/console.css?v=0123").headers["cache-control"]
    assert client.get("/static/live.js").headers["cache-control"] == "public, no-cache"


def test_the_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'self'; ")


def assert_policy(headers: object) -> None:
    found = dict(headers)  # type: ignore[call-overload]
    assert found["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert found["cache-control"].startswith(("no-store", "public"))
