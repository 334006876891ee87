"""The pages as they are drawn: parts equal wholes, hostile text stays text, nothing is hidden silently."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest
from starlette.testclient import TestClient

from soc_api.app import create_app
from soc_model.layer import Level, Realm
from soc_model.right import Role
from tests.api.conftest import NOW, a_client
from tests.api.world import HOSTILE, MINUTE_US, World, a_card, a_health, an_event, seed

SignIn = Callable[..., TestClient]
PART = {"HX-Request": "true"}


class Elements(HTMLParser):
    """Every element with its attributes, to see that no text became markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def hostile(world: World) -> World:
    """Attackers' text wherever a record or a rule can bring it."""
    card = a_card(
        title=HOSTILE, title_zh=HOSTILE, description=HOSTILE, tags=(HOSTILE,), falsepositives=(HOSTILE,),
        references=(HOSTILE,), author=HOSTILE, status=HOSTILE, id=HOSTILE, path=HOSTILE,
    )  # fmt: skip
    entities, pairs = {"host.name": [HOSTILE], HOSTILE: [HOSTILE]}, {HOSTILE: HOSTILE}
    world.raise_alert(rule=card, entities=entities, matched=pairs, group=pairs)
    row = an_event(1, world.now_us - MINUTE_US, raw=HOSTILE)
    world.events = [
        row | dict.fromkeys(("message", "host.name", "user.name", "flags", "event.code", "dataset"), HOSTILE)
    ]
    return world


PAGES = ["/alerts", "/alerts/1", "/alerts/1/findings", "/events?range=all", f"/events/{1:032x}", "/sources", "/health"]


@pytest.mark.parametrize("headers", [{}, PART])
@pytest.mark.parametrize("path", [*PAGES, "/alerts?entity=%3Cscript%3E&rule=%22%3E%3Cimg&text=%E2%80%AE"])
def test_hostile_text_stays_text(hostile: World, signed_in: SignIn, path: str, headers: dict[str, str]) -> None:
    answer = signed_in().get(path, headers=headers)
    assert answer.status_code == 200
    for tag, attributes in Elements(answer.text).found:
        assert tag != "script" or attributes["src"].startswith("/static/")  # type: ignore[union-attr]
        assert "style" not in attributes
        assert not any(name.startswith("on") or name.startswith("hx-on") for name in attributes), attributes
        assert re.match(r"/|#|$", attributes.get("href") or ""), attributes
    assert not re.search("[\u202e\u202c\x1b\x07]", answer.text)


def test_hidden_characters_become_marks(hostile: World, signed_in: SignIn) -> None:
    html = signed_in().get("/alerts/1").text
    assert '<span class="hidden-char">U+202E</span>gpj.exe' in html
    assert "⟨U+202E⟩" in html  # in attributes, where no element can stand


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", ["告警", "未关闭", "评估模式", 'lang="zh-CN"']),
        ("en", ["Alerts", "Open", "evaluation mode"]),
    ],
)
def test_both_languages(world: World, signed_in: SignIn, language: str, words: list[str]) -> None:
    html = signed_in().get("/alerts", headers={"Accept-Language": language}).text
    assert all(word in html for word in words)


def test_the_chosen_language_and_title_win(world: World, signed_in: SignIn) -> None:
    world.raise_alert()
    client = signed_in()
    assert "Brute force against SSH" in client.get("/alerts").text
    client.cookies.set("language", "zh-CN")
    assert "SSH 口令暴力破解" in client.get("/alerts").text


def test_the_banner_is_on_every_page_of_an_evaluation(hostile: World, signed_in: SignIn) -> None:
    client = signed_in()
    for path in (*PAGES[:2], "/events", "/sources", "/health", "/sign-in", "/nowhere", "/setup/x"):
        assert "evaluation mode" in client.get(path).text, path


def test_a_part_is_the_rows_of_the_whole_and_its_address(world: World, signed_in: SignIn) -> None:
    seed(world, 5)
    client = signed_in()
    whole = client.get("/alerts?level=high&range=30d&state=open&text=")
    part = client.get("/alerts?level=high&range=30d&state=open&text=", headers=PART)
    assert part.headers["hx-replace-url"] == "/alerts?level=high&range=30d"
    assert "<html" not in part.text
    assert _rows(part.text) == _rows(whole.text) != []
    assert 'id="total"' in part.text


def test_more_rows_follow_without_gap(world: World, signed_in: SignIn) -> None:
    ids = seed(world, 70)
    client = signed_in()
    html = client.get("/alerts?realm=all").text
    more = re.search(r'hx-get="(/alerts/rows\?[^"]+)"', html)
    assert more is not None
    rest = client.get(more[1].replace("&amp;", "&")).text
    assert sorted(map(int, _rows(html) + _rows(rest))) == sorted(ids)


def test_drill_is_marked_and_never_hidden_silently(fresh: World) -> None:
    fresh.administrators()
    fresh.evaluation = False
    client, world = a_client(create_app(fresh.services())), fresh
    client.cookies.set("fengsui", world.session(*Role))
    drill = world.raise_alert(realm=Realm.DRILL, unit="transport")
    normal, shown = client.get("/alerts").text, client.get("/alerts?realm=drill").text
    assert _rows(normal) == []
    assert "Show 1 alert" in normal
    world.raise_alert()
    assert "1 alert not shown" in client.get("/alerts").text
    assert _rows(shown) == [str(drill)]
    assert "演练 DRILL" in shown
    assert "They are not real" in shown
    assert "They are not real" in client.get(f"/alerts/{drill}").text


def test_an_evaluation_shows_every_realm_and_marks_the_drill(world: World, signed_in: SignIn) -> None:
    drill = world.raise_alert(realm=Realm.DRILL, unit="transport")
    client = signed_in()
    shown = client.get("/alerts").text
    assert _rows(shown) == [str(drill)]
    assert "They are not real" in shown
    assert _rows(client.get("/alerts?realm=live").text) == []
    assert client.get("/alerts?realm=all", headers=PART).headers["hx-replace-url"] == "/alerts"
    assert client.get("/alerts?realm=live", headers=PART).headers["hx-replace-url"] == "/alerts?realm=live"


def test_a_role_is_shown_only_what_it_may_use(world: World, signed_in: SignIn) -> None:
    alert = world.raise_alert()
    security, analyst = signed_in(Role.SECURITY_ADMINISTRATOR), signed_in(Role.ANALYST)
    assert 'href="/events"' not in security.get("/alerts").text
    assert 'name="state" value="closed"' not in security.get(f"/alerts/{alert}").text
    assert 'name="state" value="closed"' in analyst.get(f"/alerts/{alert}").text


def test_an_alert_is_worked_on_from_its_page(world: World, signed_in: SignIn) -> None:
    alert, client = world.raise_alert(), signed_in()
    part = client.post(f"/alerts/{alert}/state", data={"state": "acknowledged"}, headers=PART)
    assert "Acknowledged" in part.text
    assert 'value="acknowledged"' not in part.text
    whole = client.post(f"/alerts/{alert}/state", data={"state": "closed"})
    assert whole.headers["location"] == f"/alerts/{alert}"
    assert "Reopen" in client.get(f"/alerts/{alert}").text


def test_a_bad_query_is_shown_at_its_column(world: World, signed_in: SignIn) -> None:
    html = signed_in().get("/events", params={"text": "a AND (b"}).text
    assert "cannot be read at column 7" in html
    assert "a AND (b\n      <b>^</b>" in html


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/alerts", "No open alerts in the last 7 days"),
        ("/alerts?text=zzz", "No alerts under this filter"),
        ("/events", "Nothing has arrived in this time"),
        ("/events?text=zzz", "No events match"),
    ],
)
def test_an_empty_page_says_what_to_do(world: World, signed_in: SignIn, path: str, advice: str) -> None:
    html = signed_in().get(path).text
    assert advice in html
    assert 'class="button' in html.partition(advice)[2]


def test_a_source_that_loses_stands_first_with_its_losses(world: World, signed_in: SignIn) -> None:
    html = signed_in().get("/sources").text
    assert html.index("核心防火墙") < html.index("政务云主机日志")
    assert re.search(r"<b>37</b> Unparsed.*<b>2</b> Torn.*<b>4</b> Redelivered", html, re.S)


@pytest.mark.parametrize(("transport", "noted"), [("syslog", True), ("journald", False), ("file", False)])
def test_plain_syslog_is_said_to_be_at_most_once(world: World, signed_in: SignIn, transport: str, noted: bool) -> None:
    world.sources = [msgspec.structs.replace(world.sources[0], transport=transport)]
    assert ("At most once" in signed_in().get("/sources").text) is noted


def test_health_shows_how_far_each_stage_is_behind(world: World, signed_in: SignIn) -> None:
    html = signed_in().get("/health").text
    assert "3 batches behind" in html
    assert "108 batches behind" in html
    assert "archiver" in html


def test_a_storm_is_shown_with_what_was_not_kept(world: World, signed_in: SignIn) -> None:
    calm, storm = world.raise_alert(key="calm"), world.raise_alert(key="storm", count=1250, storm_count=1150)
    client = signed_in()
    assert "Storm" not in client.get(f"/alerts/{calm}").text
    page = client.get(f"/alerts/{storm}").text
    assert "Storm: 1,150 of them were counted, not kept singly" in page
    assert "host.name%3A" in page.partition("Storm: 1,150")[2].partition("</p>")[0], "a way to their events"
    assert client.get("/alerts").text.count(">Storm<") == 1
    assert "风暴" in client.get(f"/alerts/{storm}", headers={"Accept-Language": "zh"}).text
    assert client.get(f"/api/v1/alerts/{storm}").json()["storm_count"] == 1150


def test_health_shows_caches_and_the_rules_that_found_most(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    caches = {"values": {"hits": 90, "misses": 10, "evicted": 37}}
    found = {"<rule>": {"findings": 250, "storm_findings": 150}}
    health = msgspec.structs.replace(a_health(NOW), caches=caches, found=found)
    monkeypatch.setattr("tests.api.world.a_health", lambda now: health)
    page = signed_in().get("/health").text
    assert "Values" in page
    assert '<td class="num">37</td>' in page
    assert '<code>&lt;rule&gt;</code></td><td class="num">250</td><td class="num">150</td>' in page


def test_times_are_in_the_viewers_zone(world: World, signed_in: SignIn) -> None:
    alert, client = world.raise_alert(), signed_in()
    client.cookies.set("zone", "Asia/Shanghai")
    assert "2025-11-23 18:00:00.000 +08:00" in client.get(f"/alerts/{alert}").text
    client.cookies.set("zone", "../../etc/passwd")
    assert "2025-11-23 10:00:00.000 UTC" in client.get(f"/alerts/{alert}").text


def test_the_counters_count_what_choosing_them_would_show(world: World, signed_in: SignIn) -> None:
    world.raise_alert(rule=a_card(level=Level.LOW))
    world.raise_alert(rule=a_card(level=Level.CRITICAL))
    html = signed_in().get("/alerts?level=low").text
    assert re.search(r'id="level-critical" class="n" title="1"', html)
    assert re.search(r'id="total"[^>]*>1 alert<', html)


def _rows(html: str) -> list[str]:
    return re.findall(r'data-id="(\d+)"', html)
