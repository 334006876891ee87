"""My account: a new password, another device, one's own sessions; and what takes the password and a code again."""

import re
from collections.abc import Callable

import pyotp
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_api.one_time_code import STEP_US
from soc_model.right import Role
from tests.api.conftest import a_client
from tests.api.world import PASSWORD, World

NEW = "ten other towers, no fire"


@pytest.fixture
def enter(app: FastAPI, world: World) -> Callable[..., TestClient]:
    """A browser in which li.na has signed in, each with a code of its own."""
    world.person("li.na", Role.ANALYST)

    def enter(password: str = PASSWORD, code: str = "") -> TestClient:
        client = a_client(app)
        form = {"name": "li.na", "password": password, "code": code or world.code()}
        client.status = client.post("/sign-in", data=form).status_code  # type: ignore[attr-defined]
        world.now_us += STEP_US
        return client

    return enter


def change(client: TestClient, world: World, **other: str) -> int:
    form = {"current": PASSWORD, "code": world.code(), "password": NEW, "again": NEW} | other
    return client.post("/account/password", data=form).status_code


def test_a_new_password_ends_the_old_one_and_every_other_session(
    enter: Callable[..., TestClient], world: World
) -> None:
    here, elsewhere = enter(), enter()
    assert change(here, world) == 303
    assert (here.get("/alerts").status_code, elsewhere.get("/alerts").status_code) == (200, 303)
    world.now_us += STEP_US
    assert [enter(each).status for each in (PASSWORD, NEW)] == [401, 303]  # type: ignore[attr-defined]
    assert "password.changed" in world.acts()


@pytest.mark.parametrize(
    "other", [{"current": "not the old one"}, {"code": "000000"}, {"code": ""}, {"again": "x"}, {"password": "short"}]
)
def test_it_takes_the_old_password_a_code_and_a_good_new_one(
    enter: Callable[..., TestClient], world: World, other: dict[str, str]
) -> None:
    here, elsewhere = enter(), enter()
    assert change(here, world, **other) == 400
    assert elsewhere.get("/alerts").status_code == 200
    assert enter().status == 303  # type: ignore[attr-defined]


def test_a_code_changes_no_two_things_and_guessing_is_counted(enter: Callable[..., TestClient], world: World) -> None:
    here = enter()
    assert change(here, world) == 303
    assert change(here, world, current=NEW) == 400  # the code was used
    world.now_us += STEP_US
    assert [change(here, world, current=NEW, code="000000") for _ in range(5)] == [400] * 5
    assert "Too many wrong" in here.post("/account/code", data={"current": NEW, "code": world.code()}).text


def test_another_device_replaces_the_old_one_once_a_code_proves_it(
    enter: Callable[..., TestClient], world: World
) -> None:
    here, elsewhere = enter(), enter()
    assert here.post("/account/code", data={"current": PASSWORD}).status_code == 400
    assert here.post("/account/code", data={"current": PASSWORD, "code": world.code()}).status_code == 303
    world.now_us += STEP_US
    found = re.search(r'class="secret"><code>([A-Z2-7 ]+)</code>', here.get("/account/code").text)
    assert found
    device = pyotp.TOTP(found[1].replace(" ", ""))
    assert here.post("/account/code/confirm", data={"code": "000000"}).status_code == 400
    done = here.post("/account/code/confirm", data={"code": device.generate_otp(world.now_us // STEP_US)})
    assert (done.status_code, len(re.findall(r"<li><code>", done.text))) == (200, 8)
    assert (here.get("/account").status_code, elsewhere.get("/account").status_code) == (200, 303)
    world.now_us += STEP_US
    assert enter().status == 401  # type: ignore[attr-defined]
    assert enter(code=device.generate_otp(world.now_us // STEP_US)).status == 303  # type: ignore[attr-defined]
    assert "code.changed" in world.acts()


def test_ones_sessions_are_listed_and_ended_one_by_one(enter: Callable[..., TestClient], world: World) -> None:
    here, elsewhere = enter(), enter()
    page = here.get("/account").text
    [other] = re.findall(r"/account/sessions/([0-9a-f]{16})/end", page)
    assert page.count("testclient") >= 2
    assert here.post(f"/account/sessions/{other}/end").status_code == 303
    assert (here.get("/account").status_code, elsewhere.get("/account").status_code) == (200, 303)
    assert "session.revoked" in world.acts()


def test_nobody_ends_the_session_of_another(enter: Callable[..., TestClient], world: World, app: FastAPI) -> None:
    here = enter()
    [mine] = world.state.sign_ins.sessions(world.state.people.named("li.na").id, world.now_us)
    world.person("wang.lei", Role.ANALYST)
    other = a_client(app)
    other.post("/sign-in", data={"name": "wang.lei", "password": PASSWORD, "code": world.code()})
    assert other.post(f"/account/sessions/{mine.id}/end").status_code == 303
    assert here.get("/account").status_code == 200


def test_signing_out_everywhere_ends_this_one_too(enter: Callable[..., TestClient]) -> None:
    here, elsewhere = enter(), enter()
    assert here.post("/account/sessions/end").headers["location"] == "/sign-in"
    assert [each.get("/account").status_code for each in (here, elsewhere)] == [303, 303]


def test_an_evaluations_session_has_no_account_to_change(signed_in: Callable[..., TestClient], world: World) -> None:
    client = signed_in()
    assert "An evaluation has no account" in client.get("/account").text
    assert change(client, world) == 400
