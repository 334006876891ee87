"""Indicators in the API and the console: read by some, removed by the security administrator, and recorded."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.audit import Act, AuditFilter
from soc_model.right import Right, Role, rights_of
from tests.api.world import World

SignIn = Callable[..., TestClient]


@pytest.mark.parametrize("role", Role)
def test_who_reads_and_who_removes(world: World, signed_in: SignIn, role: Role) -> None:
    client, rights = signed_in(role), rights_of({role})
    reads, manages = Right.INDICATORS_READ in rights, Right.INDICATORS_MANAGE in rights
    assert (role is Role.SECURITY_ADMINISTRATOR) == manages
    assert client.get("/api/v1/indicators/feeds").status_code == (200 if reads else 403)
    assert client.delete("/api/v1/indicators/feeds/city-feed").status_code == (202 if manages else 403)
    recorded = world.state.audit.entries(AuditFilter(act=Act.INDICATORS_REMOVED))
    assert [entry.subject for entry in recorded] == ["city-feed"] * manages
    assert len(world.indicators.removed) == manages


def test_a_value_is_searched(signed_in: SignIn) -> None:
    client = signed_in()
    [found] = client.get("/api/v1/indicators", params={"value": "evil.example"}).json()
    assert (found["feed"], found["confidence"]) == ("city-feed", 90)
    assert client.get("/api/v1/indicators", params={"value": "good.example"}).json() == []
    assert client.delete("/api/v1/indicators/feeds/other").status_code in (400, 404, 422)


@pytest.mark.parametrize(("language", "words"), [("en", "No feed lists it."), ("zh-CN", "没有情报源列出该值。")])
def test_the_page_shows_feeds_and_what_is_known(signed_in: SignIn, language: str, words: str) -> None:
    client = signed_in()
    client.cookies.set("language", language)
    page = client.get("/indicators", params={"value": "evil.example"}).text
    assert "city-feed" in page and "<code>evil.example</code>" in page and words not in page
    page = client.get("/indicators", params={"value": "<b>good</b>"}).text
    assert words in page and "<b>good</b>" not in page
