"""Sessions, own origin and own host."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.right import PEOPLE_ROLES, Role
from tests.api.conftest import ORIGIN, a_client
from tests.api.world import HOUR_US, World

SignIn = Callable[..., TestClient]


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/events", "/api/v1/stream", "/api/openapi.json"])
def test_the_api_answers_strangers_with_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["title"] == "Unauthorized"


def test_pages_send_strangers_to_the_sign_in_page(client: TestClient) -> None:
    assert client.get("/alerts").headers["location"] == "/sign-in"
    page = client.get("/sign-in")
    assert page.status_code == 200
    assert {f'name="{name}"' for name in ("name", "password", "code")} <= set(page.text.split())
    assert "fengsui link" in page.text


def test_a_part_asked_for_by_a_stranger_moves_the_whole_page(client: TestClient) -> None:
    answer = client.get("/alerts", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_a_session_ends_after_twelve_hours(signed_in: SignIn, world: World) -> None:
    client = signed_in()
    world.now_us += 12 * HOUR_US - 1
    assert client.get("/alerts").status_code == 200
    world.now_us += 1
    assert client.get("/alerts").status_code == 303


def test_signing_out_ends_the_session_itself(signed_in: SignIn, world: World) -> None:
    client = signed_in()
    same = a_client(client.app)
    same.cookies.set("fengsui", client.cookies["fengsui"])
    assert client.post("/sign-out").headers["location"] == "/sign-in"
    assert same.get("/alerts").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "https://127.0.0.1"},
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/sign-out",
        "/alerts/1/state",
        "/api/v1/alerts/1/state",
        "/setup/x",
        "/setup",
        "/sign-in",
        "/people",
        "/api/v1/people",
        "/keys",
    ],
)
def test_an_unsafe_method_from_elsewhere_is_refused(signed_in: SignIn, path: str, headers: dict[str, str]) -> None:
    client = signed_in()
    assert client.post(path, headers=headers).status_code == 403
    assert client.get("/alerts").status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}])
def test_an_unsafe_method_from_our_own_page_passes(signed_in: SignIn, headers: dict[str, str]) -> None:
    assert signed_in().post("/sign-out", headers=headers).status_code == 303


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("LOCALHOST:8740", 200),
        ("[::1]:8740", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_only_our_own_host_names_are_answered(client: TestClient, host: str, status: int) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_the_first_page_is_one_the_role_may_read(signed_in: SignIn) -> None:
    landed = {role: signed_in(role).get("/").headers["location"] for role in PEOPLE_ROLES}
    assert landed == {
        Role.SYSTEM_ADMINISTRATOR: "/sources",
        Role.SECURITY_ADMINISTRATOR: "/alerts",
        Role.AUDIT_ADMINISTRATOR: "/health",
        Role.ANALYST: "/alerts",
        Role.COMPLIANCE_OFFICER: "/alerts",
        Role.VIEWER: "/alerts",
    }
