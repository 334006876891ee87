"""Asking for the rules to be read again: who may, and what the Health page says came of it."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.right import Role
from tests.api.world import World

SignIn = Callable[..., TestClient]


@pytest.mark.parametrize(
    ("role", "status"), [(role, 202 if role is Role.SECURITY_ADMINISTRATOR else 403) for role in Role]
)
def test_only_the_security_administrator_has_rules_read_again(
    world: World, signed_in: SignIn, role: Role, status: int
) -> None:
    assert signed_in(role).post("/api/v1/rules/reload").status_code == status
    assert len(world.reloads) == (status == 202)


def test_health_says_why_the_rules_before_go_on(signed_in: SignIn) -> None:
    html = signed_in().get("/health").text
    assert "rules/y.zip: not a &lt;b&gt;readable&lt;/b&gt; zip archive" in html
    assert "zones.yml:3: networks: not a network &lt;i&gt;" in html
    assert "5eed" * 8 in html and "fade" * 8 in html


def test_health_answers_with_what_decides(signed_in: SignIn) -> None:
    health = signed_in().get("/api/v1/health").json()
    assert (health["snapshot"], health["reload_result"]) == ("5eed" * 8, "failed")
