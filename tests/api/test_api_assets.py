"""Assets over the API and in the console: filters, pages, scope, links, what people say, hostile names."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from soc_api.app import create_app
from soc_model.layer import Layer, Realm
from soc_model.right import Role
from soc_model.scope import Scope
from soc_store.asset_query import AssetFilter
from tests.api.conftest import a_client
from tests.api.test_console_pages import PART, Elements
from tests.api.world import HOSTILE, MINUTE_US, World, a_sighting

SignIn = Callable[..., TestClient]
ALL = Scope(units=None, realms=frozenset(Realm))


@pytest.fixture
def seen(world: World) -> World:
    """A host with a user, an address of its own, a service that two addresses spoke to; a drill's host."""
    now = world.now_us
    net = {"unit": "water", "layer": Layer.NETWORK, "source_id": "fw-core"}
    world.sight(
        a_sighting("user", "CITY\\wang.lei", now, ("seen_on", "host", "WEB-01.city.example"), count=7),
        a_sighting("host", "web-01", now - MINUTE_US, layer=Layer.APPLICATION),
        a_sighting("address", "10.2.0.8", now - MINUTE_US, ("is", "host", "web-01")),
        a_sighting("address", "10.9.0.1", now, ("connected", "service", "10.9.1.4:445"), **net),
        a_sighting("address", "8.8.8.8", now, ("connected", "service", "10.9.1.4:445"), **net),
        a_sighting("host", "dc-drill", now, realm=Realm.DRILL, unit="transport", source_id="drill-ad"),
    )
    return world


def names(client: TestClient, query: str = "") -> set[str]:
    answer = client.get(f"/api/v1/assets?{query}")
    assert answer.status_code == 200, answer.text
    return {asset["name"] for asset in answer.json()["assets"]}


WATER = {"10.9.0.1", "10.9.1.4:445", "8.8.8.8"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=host", {"WEB-01.city.example", "dc-drill"}),
        ("kind=host&kind=user&realm=live", {"WEB-01.city.example", "CITY\\wang.lei"}),
        ("unit=water", WATER),
        ("layer=application", {"WEB-01.city.example"}),
        ("realm=drill", {"dc-drill"}),
        ("text=web-01", {"WEB-01.city.example"}),
        ("text=10.2", {"WEB-01.city.example"}),
        ("text=10.2&of_hosts=true", {"WEB-01.city.example", "10.2.0.8"}),
        ("kind=external", {"8.8.8.8"}),
        ("state=confirmed", set()),
    ],
)
def test_filters(seen: World, signed_in: SignIn, query: str, expected: set[str]) -> None:
    client = signed_in()
    assert names(client, query) == expected
    assert client.get(f"/api/v1/assets/counts?{query}").json()["total"] == len(expected)


def test_a_reader_sees_the_own_units_only(seen: World, signed_in: SignIn) -> None:
    client = signed_in(Role.ANALYST, units=frozenset({"water"}))
    assert names(client) == WATER
    other = host(signed_in())
    assert client.get(f"/api/v1/assets/{other['id']}").status_code == 404
    assert client.patch(f"/api/v1/assets/{other['id']}", json={"owner": "me"}).status_code == 404
    assert client.get(f"/assets/{other['id']}").status_code == 404


def host(client: TestClient) -> dict[str, Any]:
    return client.get("/api/v1/assets?kind=host&realm=live").json()["assets"][0]


def test_pages_follow_one_another(seen: World, signed_in: SignIn) -> None:
    client, found, cursor = signed_in(), [], ""
    while cursor is not None:
        page = client.get("/api/v1/assets", params={"limit": 2, "cursor": cursor}).json()
        found += [asset["id"] for asset in page["assets"]]
        cursor = page["cursor"]
    assert len(found) == len(set(found)) == 6
    assert client.get("/api/v1/assets?cursor=zzz").status_code == 400


def test_one_asset_with_its_links(seen: World, signed_in: SignIn) -> None:
    client = signed_in()
    detail = client.get(f"/api/v1/assets/{host(client)['id']}").json()
    links = {(each["relation"], each["outward"], each["asset"]["name"], each["count"]) for each in detail["links"]}
    assert links == {("seen_on", False, "CITY\\wang.lei", 7), ("is", False, "10.2.0.8", 1)}
    assert (detail["links_total"], detail["asset"]["layers"]) == (2, ["application", "host"])
    assert set(detail["asset"]["names"]) == {"WEB-01.city.example", "web-01"}


def test_people_say_what_an_asset_is_and_may_take_it_back(seen: World, signed_in: SignIn) -> None:
    client = signed_in(Role.SECURITY_ADMINISTRATOR)
    url = f"/api/v1/assets/{host(client)['id']}"
    said = {"owner": "王磊", "importance": "very_high", "asset_class": "server", "state": "confirmed"}
    assert client.patch(url, json=said).status_code == 200
    changed = client.patch(url, json={"owner": "", "mlps_object": "政务云三级"}).json()
    assert changed["described"] == said | {"owner": "", "mlps_object": "政务云三级", "note": ""}
    assert (changed["changed"], changed["changed_by"]) == (seen.now_us, "tester")


@pytest.mark.parametrize(
    "change",
    [{"state": "gone"}, {"owner": "x" * 201}, {"owner": "a\u202eb"}, {"note": "a\x00"}, {"name": "mine"}, {"count": 1}],
)
def test_what_cannot_be_said_is_refused_and_changes_nothing(
    seen: World, signed_in: SignIn, change: dict[str, Any]
) -> None:
    client = signed_in()
    before = host(client)
    answer = client.patch(f"/api/v1/assets/{before['id']}", json=change)
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (422, next(iter(change)))
    assert host(client) == before


@pytest.mark.parametrize(
    ("role", "reads", "works"),
    [
        (Role.ANALYST, 200, 200),
        (Role.SECURITY_ADMINISTRATOR, 200, 200),
        (Role.SYSTEM_ADMINISTRATOR, 200, 403),
        (Role.AUDIT_ADMINISTRATOR, 403, 403),
    ],
)
def test_who_may_read_and_who_may_work(seen: World, signed_in: SignIn, role: Role, reads: int, works: int) -> None:
    client, (asset, *_) = signed_in(role), seen.assets.assets(ALL, AssetFilter(), 1).assets
    url = f"/api/v1/assets/{asset.id}"
    assert client.get(url).status_code == reads
    assert client.patch(url, json={"note": "x"}).status_code == works
    if reads == 200:
        assert ('name="owner"' in client.get(f"/assets/{asset.id}").text) == (works == 200)


def rows(html: str) -> list[str]:
    return re.findall(r'data-id="([0-9a-f]{32})"', html)


def test_the_list_shows_the_own_assets_and_others_when_chosen(seen: World, signed_in: SignIn) -> None:
    client = signed_in()
    html = client.get("/assets").text
    assert (len(rows(html)), "5 assets" in html, "8.8.8.8" in html) == (5, True, False)
    assert "8.8.8.8" in client.get("/assets?kind=external").text
    part = client.get("/assets?kind=host&text=&state=all", headers=PART)
    assert part.headers["hx-replace-url"] == "/assets?kind=host"
    assert "<html" not in part.text
    assert len(rows(part.text)) == 2


def test_more_rows_follow_without_gap(world: World, signed_in: SignIn) -> None:
    world.sight(*(a_sighting("host", f"h{n}", world.now_us - n) for n in range(70)))
    client = signed_in()
    html = client.get("/assets").text
    more = re.search(r'hx-get="(/assets/rows\?[^"]+)"', html)
    assert more is not None
    rest = client.get(more[1].replace("&amp;", "&")).text
    assert len(set(rows(html) + rows(rest))) == len(rows(html)) + len(rows(rest)) == 70


def test_drill_is_marked_and_never_hidden_silently(fresh: World) -> None:
    fresh.administrators()
    fresh.evaluation = False
    fresh.sight(a_sighting("host", "dc", fresh.now_us, realm=Realm.DRILL), a_sighting("host", "web", fresh.now_us))
    client = a_client(create_app(fresh.services()))
    client.cookies.set("fengsui", fresh.session(*Role))
    normal, shown = client.get("/assets").text, client.get("/assets?realm=drill").text
    assert (len(rows(normal)), "1 asset not shown" in normal) == (1, True)
    assert (len(rows(shown)), "演练 DRILL" in shown, "They are not real" in shown) == (1, True, True)


def test_an_asset_leads_to_its_events_and_alerts(seen: World, signed_in: SignIn) -> None:
    client = signed_in()
    html = client.get(f"/assets/{host(client)['id']}").text
    assert "host.name%3A%22WEB-01.city.example%22+OR+host.name%3A%22web-01%22" in html
    assert "/alerts?entity=web-01&amp;range=all&amp;state=all&amp;realm=live" in html
    (service,) = client.get("/api/v1/assets?kind=service").json()["assets"]
    assert "destination.ip%3A%2210.9.1.4%22+AND+destination.port%3A445" in client.get(f"/assets/{service['id']}").text
    assert "/events?" not in signed_in(Role.SYSTEM_ADMINISTRATOR).get(f"/assets/{service['id']}").text


def test_the_form_of_an_asset_says_and_clears(seen: World, signed_in: SignIn) -> None:
    client = signed_in()
    path = f"/assets/{host(client)['id']}"
    filled = {"state": "retired", "owner": "李娜", "asset_class": "", "importance": "", "note": "一\r\n二"}
    answer = client.post(path, data=filled)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert 'value="李娜"' in client.get(path).text
    client.post(path, data=filled | {"owner": ""})
    assert host(client)["described"] == {"mlps_object": "", **filled, "owner": "", "note": "一\n二"}
    assert client.post(path, data={"owner": "a\u202e"}).status_code == 422


def test_an_asset_seen_after_it_was_retired_says_so(seen: World, signed_in: SignIn) -> None:
    client = signed_in()
    asset = host(client)["id"]
    client.patch(f"/api/v1/assets/{asset}", json={"state": "retired"})
    assert "seen since" not in client.get(f"/assets/{asset}").text
    seen.sight(a_sighting("host", "web-01", seen.now_us + MINUTE_US))
    assert "seen since" in client.get(f"/assets/{asset}").text


@pytest.mark.parametrize("headers", [{}, PART])
def test_hostile_names_stay_text(world: World, signed_in: SignIn, headers: dict[str, str]) -> None:
    now = world.now_us
    world.sight(a_sighting("user", HOSTILE, now, ("seen_on", "host", HOSTILE)), a_sighting("domain", HOSTILE, now))
    client = signed_in()
    ids = rows(client.get("/assets?kind=user&kind=host&kind=domain").text)
    assert len(ids) == 3
    client.patch(f"/api/v1/assets/{ids[0]}", json={"owner": '"><script>', "note": "</textarea><script>"})
    for path in ("/assets?kind=host&kind=user&kind=domain", *(f"/assets/{each}" for each in ids)):
        html = client.get(path, headers=headers).text
        assert not re.search("[\u202e\u202c\x1b\x07]", html)
        for tag, attributes in Elements(html).found:
            assert tag != "script" or attributes["src"].startswith("/static/")  # type: ignore[union-attr]
            assert not any(name.startswith("on") for name in attributes), attributes


def test_an_empty_page_says_what_to_do(world: World, signed_in: SignIn) -> None:
    client = signed_in()
    assert "No assets yet" in client.get("/assets").text
    assert "No assets under this filter" in client.get("/assets?text=zzz").text


def test_chinese(seen: World, signed_in: SignIn) -> None:
    html = signed_in().get("/assets", headers={"Accept-Language": "zh-CN"}).text
    assert all(word in html for word in ("资产", "主机", "账号", "地址", "服务", "已发现"))
