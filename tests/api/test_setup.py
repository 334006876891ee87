"""The first start for real: three links, three people, and nothing else before; and what is tried with a link."""

import re
from hashlib import sha256

import pyotp
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_api.app import create_app
from soc_api.one_time_code import STEP_US
from soc_model.right import ADMINISTRATORS, Role
from soc_store.people import CENTER
from tests.api.conftest import a_client
from tests.api.world import MINUTE_US, World

GOOD = "beacons on nine towers"


@pytest.fixture
def real(fresh: World) -> FastAPI:
    """A center at its first start without evaluation."""
    fresh.evaluation = False
    return create_app(fresh.services())


def links(world: World) -> dict[Role, str]:
    """A link for each administrator who is not set up."""
    found = {}
    for role, person in world.state.people.make_first(world.now_us).items():
        found[role] = f"token-{role}-{world.now_us}"
        digest = sha256(found[role].encode()).hexdigest()
        world.state.people.invite(person.id, digest, world.now_us + 15 * MINUTE_US, CENTER, world.now_us)
    return found


def begin(client: TestClient, token: str, name: str, password: str = GOOD, **more: str) -> int:
    form = {"name": name, "password": password, "again": password, **more}
    return client.post(f"/setup/{token}", data=form).status_code


def secret_on(page: str) -> str:
    secret = re.search(r'class="secret"><code>([A-Z2-7 ]+)</code>', page)
    assert secret
    return secret[1].replace(" ", "")


def code_of(page: str, world: World) -> str:
    return pyotp.TOTP(secret_on(page)).generate_otp(world.now_us // STEP_US)


def set_up(app: FastAPI, world: World, token: str, name: str) -> TestClient:
    client = a_client(app)
    assert begin(client, token, name) == 303
    page = client.get("/setup").text
    client.secret = secret_on(page)  # type: ignore[attr-defined]
    answer = client.post("/setup", data={"code": code_of(page, world)})
    assert answer.status_code == 200
    client.codes = re.findall(r"<li><code>([a-z2-9-]{19})</code>", answer.text)  # type: ignore[attr-defined]
    return client


def test_until_all_three_are_set_up_nothing_else_answers(real: FastAPI, fresh: World) -> None:
    waiting = dict(links(fresh))
    assert set(waiting) == ADMINISTRATORS
    for number, (role, token) in enumerate(waiting.items()):
        assert a_client(real).get("/sign-in").status_code == 503
        assert role in a_client(real).get("/api/v1/alerts").json()["detail"]
        client = set_up(real, fresh, token, f"person{number}")
    assert a_client(real).get("/sign-in").status_code == 200
    assert client.get("/").status_code == 303
    assert fresh.acts().count("person.set-up") == 3


def test_each_administrator_has_exactly_the_role_of_the_link(real: FastAPI, fresh: World) -> None:
    for role, token in links(fresh).items():
        client = a_client(real)
        assert begin(client, token, f"p-{role[:5]}", roles="analyst", role="analyst", units="*") == 303
        client.post("/setup", data={"code": code_of(client.get("/setup").text, fresh), "roles": "analyst"})
    assert {one.roles for one in fresh.state.people.all()} == {frozenset({role}) for role in ADMINISTRATORS}


@pytest.mark.parametrize(
    "form",
    [
        {"password": "short"},
        {"again": "another one entirely"},
        {"name": "x"},
        {"name": "<script>"},
        {"password": "zhao.min-tower-9", "again": "zhao.min-tower-9"},
    ],
)
def test_a_refused_choice_does_not_use_the_link_up(real: FastAPI, fresh: World, form: dict[str, str]) -> None:
    token = links(fresh)[Role.AUDIT_ADMINISTRATOR]
    client = a_client(real)
    answer = client.post(f"/setup/{token}", data={"name": "zhao.min", "password": GOOD, "again": GOOD} | form)
    assert (answer.status_code, 'class="complaint"' in answer.text) == (400, True)
    assert begin(client, token, "zhao.min") == 303


def test_a_link_works_for_the_first_browser_that_answers_it_and_no_other(real: FastAPI, fresh: World) -> None:
    token = links(fresh)[Role.SYSTEM_ADMINISTRATOR]
    first, second = a_client(real), a_client(real)
    assert (second.get(f"/setup/{token}").status_code, begin(first, token, "zhao.min")) == (200, 303)
    assert (second.get(f"/setup/{token}").status_code, begin(second, token, "thief")) == (410, 410)
    assert (second.get("/setup").status_code, second.post("/setup", data={"code": "1"}).status_code) == (410, 410)
    assert first.get("/setup").status_code == 200


def test_a_link_ends_after_fifteen_minutes_and_when_a_new_one_is_made(real: FastAPI, fresh: World) -> None:
    role = Role.SYSTEM_ADMINISTRATOR
    old = links(fresh)[role]
    fresh.now_us += MINUTE_US
    new = links(fresh)[role]
    assert [a_client(real).get(f"/setup/{token}").status_code for token in (old, new)] == [410, 200]
    fresh.now_us += 15 * MINUTE_US
    assert a_client(real).get(f"/setup/{new}").status_code == 410


def test_five_wrong_codes_end_what_the_link_began(real: FastAPI, fresh: World) -> None:
    client = a_client(real)
    assert begin(client, links(fresh)[Role.AUDIT_ADMINISTRATOR], "zhao.min") == 303
    right = code_of(client.get("/setup").text, fresh)
    answers = [client.post("/setup", data={"code": "000000"}).status_code for _ in range(5)]
    assert answers == [400] * 4 + [410]
    assert client.post("/setup", data={"code": right}).status_code == 410
    assert len(fresh.state.people.missing_administrators()) == 3


def test_a_recovery_code_stands_for_the_device_once(real: FastAPI, fresh: World) -> None:
    found = [set_up(real, fresh, token, f"person{n}") for n, token in enumerate(links(fresh).values())]
    codes = found[0].codes  # type: ignore[attr-defined]
    assert len(set(codes)) == 8
    form = {"name": "person0", "password": GOOD}
    entered = [a_client(real).post("/sign-in", data={**form, "code": code}).status_code for code in (codes[3],) * 2]
    assert entered == [303, 401]
    assert a_client(real).post("/sign-in", data={**form, "code": codes[4].upper()}).status_code == 303
    assert "recovery.used" in fresh.acts()


def test_the_store_keeps_no_password_link_recovery_code_or_secret_in_the_clear(real: FastAPI, fresh: World) -> None:
    waiting = links(fresh)
    client = set_up(real, fresh, waiting[Role.AUDIT_ADMINISTRATOR], "zhao.min")
    database = fresh.state._engine.url.database  # type: ignore[attr-defined]
    from pathlib import Path

    kept = b"".join(path.read_bytes() for path in Path(database).parent.glob("state.db*"))
    secrets = [GOOD, client.secret, *waiting.values(), *client.codes, *client.cookies.values()]  # type: ignore[attr-defined]
    assert [secret for secret in secrets if secret.encode() in kept] == []
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in kept
