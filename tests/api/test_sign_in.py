"""Signing in and what attackers try there: guessing, replay, fixation, floods, and learning who exists."""

import threading
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_api.app import create_app
from soc_api.password import AT_ONCE, Busy, Passwords, check_password
from soc_model.problem import Problem
from soc_model.right import Role
from soc_store.secret_box import SecretBox
from tests.api.conftest import a_client
from tests.api.world import MINUTE_US, PASSWORD, World

STEP_US = 30_000_000


@pytest.fixture
def enter(app: FastAPI, world: World) -> Callable[..., TestClient]:
    """A client that has tried to sign in; ``client.status`` says how that ended."""
    world.person("li.na", Role.ANALYST)

    def enter(name: str = "li.na", password: str = PASSWORD, code: str | None = None, **cookies: str) -> TestClient:
        client = a_client(app)
        for each, value in cookies.items():
            client.cookies.set(each, value)
        form = {"name": name, "password": password, "code": world.code() if code is None else code}
        client.answer = client.post("/sign-in", data=form)  # type: ignore[attr-defined]
        client.status = client.answer.status_code  # type: ignore[attr-defined]
        return client

    return enter


def test_name_password_and_code_sign_in(enter: Callable[..., TestClient], world: World) -> None:
    client = enter("LI.NA ")  # names are one whatever their case
    assert client.status == 303
    assert client.get("/").headers["location"] == "/alerts"
    assert client.get("/people").status_code == 403
    assert world.acts()[-1] == "sign-in"


@pytest.mark.parametrize("wrong", [{"name": "nobody"}, {"password": "x" * 12}, {"code": "000000"}, {"code": ""}])
def test_every_mistake_has_the_same_answer(
    enter: Callable[..., TestClient], world: World, wrong: dict[str, str]
) -> None:
    client, plain = enter(**wrong), enter(password="wrong in every way", code="1")
    assert client.status == 401
    name = wrong.get("name", "li.na")
    assert client.answer.text.replace(name, "") == plain.answer.text.replace("li.na", "")
    assert client.get("/alerts").status_code == 303


@pytest.mark.parametrize("name", ["li.na", "nobody"])
def test_five_failures_lock_a_name_whether_it_exists_or_not(
    enter: Callable[..., TestClient], world: World, name: str
) -> None:
    assert [enter(name, "wrong password!").status for _ in range(6)] == [401] * 5 + [429]
    world.now_us += 14 * MINUTE_US
    assert enter(name).status == 429
    world.now_us += 2 * MINUTE_US
    assert enter(name).status == (303 if name == "li.na" else 401)
    assert world.acts().count("sign-in.locked") == 1


def test_twenty_failures_lock_an_address_over_all_names(enter: Callable[..., TestClient]) -> None:
    assert {enter(f"guess{number}", "wrong password!").status for number in range(20)} == {401}
    assert enter().status == 429


def test_success_forgives_the_failures_before_it(enter: Callable[..., TestClient], world: World) -> None:
    for _ in range(3):
        assert [enter(password="wrong password!").status for _ in range(4)] == [401] * 4
        assert enter().status == 303
        world.now_us += STEP_US


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 303), (0, 303), (1, 303), (2, 401)])
def test_a_code_is_good_one_step_around_now(
    enter: Callable[..., TestClient], world: World, steps: int, status: int
) -> None:
    assert enter(code=world.code(steps)).status == status


def test_no_code_works_twice_nor_one_before_it(enter: Callable[..., TestClient], world: World) -> None:
    seen, before = world.code(), world.code(-1)
    assert [enter(code=code).status for code in (seen, seen, before)] == [303, 401, 401]
    world.now_us += STEP_US
    assert [enter(code=code).status for code in (seen, world.code())] == [401, 303]


def test_with_another_key_codes_are_wrong_and_a_recovery_code_still_signs_in(world: World) -> None:
    world.person("li.na", Role.ANALYST, recovery="abcd-efgh-jkmn-pqrs")
    other = a_client(create_app(world.services(box=SecretBox(b"l" * 32))))
    form = {"name": "li.na", "password": PASSWORD}
    assert other.post("/sign-in", data={**form, "code": world.code()}).status_code == 401
    assert other.post("/sign-in", data={**form, "code": "abcd-efgh-jkmn-pqrs"}).status_code == 303


def test_a_session_planted_before_is_not_the_one_after(enter: Callable[..., TestClient], world: World) -> None:
    planted = world.session(Role.VIEWER, token="planted by an attacker")
    client = enter(fengsui=planted)
    assert client.answer.cookies["fengsui"] != planted
    thief = a_client(client.app)
    thief.cookies.set("fengsui", planted)
    assert thief.get("/alerts").status_code == 303


def test_a_disabled_person_is_out_at_once_and_stays_out(enter: Callable[..., TestClient], world: World) -> None:
    client = enter()
    found = world.state.people.named("li.na")
    boss = world.person("boss", Role.SYSTEM_ADMINISTRATOR)
    world.state.people.set_disabled(found.id, True, actor(boss), world.now_us)
    world.now_us += STEP_US
    assert client.get("/alerts").status_code == 303
    assert enter().status == 401


def test_a_session_left_alone_ends_and_a_page_by_itself_does_not_keep_it(
    enter: Callable[..., TestClient], world: World
) -> None:
    client = enter()
    for _ in range(3):
        world.now_us += 20 * MINUTE_US
        assert client.get("/alerts").status_code == 200
    world.now_us += 20 * MINUTE_US
    assert client.get("/alerts", headers={"X-Unattended": "1"}).status_code == 200
    world.now_us += 11 * MINUTE_US
    assert client.get("/alerts").status_code == 303


def test_used_or_not_a_session_ends_after_twelve_hours(enter: Callable[..., TestClient], world: World) -> None:
    client = enter()
    for _ in range(36):
        world.now_us += 20 * MINUTE_US - 1
        assert client.get("/alerts").status_code == 200
    world.now_us += 36
    assert client.get("/alerts").status_code == 303


def test_two_passwords_at_once_and_the_third_is_told_to_come_again(enter: Callable[..., TestClient]) -> None:
    passwords: Passwords = enter().app.state.passwords  # type: ignore[attr-defined]
    with passwords.turn(), passwords.turn():
        with pytest.raises(Busy), passwords.turn():
            pass
        busy = enter()
    assert (busy.status, busy.answer.headers["retry-after"]) == (429, "1")
    assert AT_ONCE == 2


def test_many_at_once_get_no_more_tries_than_one_after_the_other(world: World) -> None:
    world.person("li.na", Role.ANALYST)
    tried = []
    threads = [
        threading.Thread(target=lambda: tried.append(world.state.sign_ins.attempt("li.na", "a", world.now_us)))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(not each.locked_until for each in tried) == 5


@pytest.mark.parametrize(
    ("password", "holds"),
    [
        ("correct horse battery", True),
        ("Tower9-!", True),
        ("tower9tower", False),
        ("Short1!", False),
        ("li.na on the tower", False),
        ("LI.NA-2024-Tower", False),
        ("Password123!", False),
        ("aaaaaaaaaaaaaaaa", False),
        ("x" * 128 + "yzq1", False),
    ],
)
def test_what_a_password_must_be(password: str, holds: bool) -> None:
    if holds:
        check_password(password, "li.na")
    else:
        with pytest.raises(Problem):
            check_password(password, "li.na")


def actor(person: object) -> object:
    from soc_model.person import Actor

    return Actor(name=person.name, person_id=person.id)  # type: ignore[attr-defined]
