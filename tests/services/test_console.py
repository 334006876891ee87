"""The console in real Chromium: an evening's work of an analyst, by mouse and by keyboard, under the strict policy.

Any console error, page error or policy violation fails the test in which it happened.
"""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright

from soc_api.app import create_app
from soc_model.layer import Level, Realm
from soc_model.right import Role
from tests.api.rule_world import SSH, list_them, stage_update
from tests.api.world import HOSTILE, World, a_card, make_world, seed

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERIOUS = frozenset({"serious", "critical"})


class Center:
    """A seeded center on loopback, and a browser that watches for every complaint."""

    def __init__(self, world: World, url: str, browser: BrowserContext) -> None:
        self.world, self.url, self.browser = world, url, browser
        self.complaints: list[str] = []
        self.page: Page = browser.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def choose(self, **cookies: str) -> None:
        self.browser.add_cookies([{"name": name, "value": value, "url": self.url} for name, value in cookies.items()])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("center"))
    seed(made, 70)
    list_them(made)
    stage_update(made.folder)
    yield made
    made.state.close()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(world.services())
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            headless=True,
            args=FLAGS,
            viewport={"width": 1440, "height": 900},
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            color_scheme="dark",
        )
        context.set_default_timeout(15_000)
        yield context
        context.close()


@pytest.fixture
def center(world: World, url: str, browser: BrowserContext) -> Iterator[Center]:
    """A center with an analyst signed in, in English and dark."""
    browser.clear_cookies()
    made = Center(world, url, browser)
    if not world.state.link_used_ever():
        world.open_up()
    token = f"browser-{time.monotonic_ns()}"
    made.choose(fengsui=world.session(*Role, token=token), language="en", theme="dark")
    yield made
    made.page.goto("about:blank")
    made.page.close()
    assert made.complaints == []


def test_from_the_link_to_the_sources(center: Center) -> None:
    token = f"link-{time.monotonic_ns()}"
    center.world.link(token)
    center.browser.clear_cookies()
    center.choose(language="en")
    page = center.go(f"/setup/{token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/alerts")
    page.locator(".level-choice.level-high").click()
    page.wait_for_url("**/alerts?level=high")
    page.locator("tr.row a.title").first.click()
    page.get_by_role("heading", name="Why it fired").wait_for()
    page.locator("#findings tr.row, #findings p:not(.loading)").first.wait_for()
    page.get_by_role("link", name="Events", exact=True).click()
    page.locator("tr.row").first.click()
    page.locator(".expansion .raw pre").first.wait_for()
    page.get_by_role("link", name="Sources", exact=True).click()
    assert page.locator(".source").count() == 3


def test_the_filter_stands_in_the_address_and_comes_back(center: Center) -> None:
    page = center.go("/alerts")
    page.locator("#text").fill("scan")
    page.wait_for_url("**/alerts?text=scan")
    page.locator("input[name=layer][value=network]").click()
    page.wait_for_url("**/alerts?text=scan&layer=network")
    titles = page.locator("tr.row .title").all_inner_texts()
    assert titles and set(titles) == {"Port scan from inside"}
    page.locator("tr.row .title").first.click()
    page.locator("[data-back]").click()
    page.wait_for_url("**/alerts?text=scan&layer=network")
    assert page.locator("tr.row .title").all_inner_texts() == titles


def test_a_bar_of_the_histogram_narrows_the_time(center: Center) -> None:
    page = center.go("/alerts")
    page.wait_for_function("() => document.querySelector('#histogram canvas')")
    before = page.locator("#total").inner_text()
    box = page.locator("#histogram").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 200, box["y"] + 60)
    page.mouse.up()
    page.wait_for_url("**since=**until=**")
    assert page.locator("[data-custom-range]").is_visible()
    assert page.locator("#total").inner_text() != before


def test_a_new_alert_comes_in_by_itself_and_keeps_the_filter(center: Center) -> None:
    page = center.go("/alerts?level=critical")
    page.locator("#live[data-state=on]").wait_for()
    name = f"Fresh {time.monotonic_ns()}"
    alert = center.world.raise_alert(rule=a_card(title=name, level=Level.CRITICAL))
    center.world.raise_alert(rule=a_card(title="Not asked for", level=Level.LOW))
    page.locator(f".toast:has-text('{name}')").wait_for()
    page.locator(f"tr.row[data-id='{alert}']").wait_for()
    assert page.locator("tr.row:has-text('Not asked for')").count() == 0
    assert page.url.endswith("?level=critical")


def test_an_alert_is_acknowledged_and_closed(center: Center) -> None:
    alert = center.world.raise_alert(rule=a_card(title="To be worked on"))
    page = center.go(f"/alerts/{alert}")
    page.get_by_role("button", name="Acknowledge").click()
    page.locator("#alert-head .state-acknowledged").wait_for()
    page.get_by_role("button", name="Close").click()
    page.locator("#alert-head .state-closed").wait_for()
    page.get_by_role("button", name="Reopen").wait_for()


def test_the_keyboard_alone_is_enough(center: Center) -> None:
    page = center.go("/alerts")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    chosen = page.locator("tr.row.chosen")
    assert chosen.count() == 1
    wanted = chosen.get_attribute("data-id")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/alerts/{wanted}")


@pytest.mark.parametrize(
    "path",
    [
        *("/alerts?realm=all&range=all", "/alerts/4", "/alerts/1", "/events?range=all&realm=all"),
        *("/rules", "/rules/rule-hostile", "/rules/library"),
    ],
)
def test_hostile_text_does_nothing(center: Center, path: str) -> None:
    dialogs: list[str] = []
    center.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page = center.go(path)
    page.wait_for_load_state("networkidle") if "alerts?" not in path else page.locator("tr.row").first.wait_for()
    for row in page.locator("tr.row[data-expand]").all()[:6]:
        row.click()
    page.evaluate("document.querySelectorAll('details.change').forEach((each) => { each.open = true; })")
    page.wait_for_timeout(300)
    assert page.locator("main script, main img, main [onerror]").count() == 0
    assert page.locator(".hidden-char").count() > 0
    assert dialogs == []
    assert HOSTILE.split()[0] in page.locator("main").inner_text()


def test_a_bad_query_is_shown_where_it_is_bad(center: Center) -> None:
    page = center.go("/events")
    page.locator("#text").fill("sshd AND (root")
    page.keyboard.press("Enter")
    page.get_by_text("cannot be read at column 10").wait_for()


def test_language_and_theme_are_remembered(center: Center) -> None:
    page = center.go("/alerts")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-theme-toggle]").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    page.locator("[data-language='zh-CN']").click()
    page.locator("h1:has-text('告警')").wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert "UTC+08:00" in page.locator(".side-facts").inner_text()


PAGES = {
    "alerts": "/alerts?realm=all",
    "alert": "/alerts/1",
    "alert-hostile": "/alerts/4",
    "events": "/events?realm=all",
    "events-bad": "/events?text=a%20AND%20(b",
    "sources": "/sources",
    "health": "/health",
    "rules": "/rules",
    "rule": f"/rules/{SSH}",
    "rule-refused": "/rules/rule-refused",
    "rule-library": "/rules/library",
    "empty": "/alerts?text=nothing-like-it",
    "setup": "/setup/x",
    "sign-in": "/sign-in",
}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_accessible_and_photographed(
    center: Center, tmp_path_factory: pytest.TempPathFactory, theme: str, language: str
) -> None:
    folder = Path(os.environ.get("FENGSUI_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    center.choose(theme=theme, language=language)
    for name, path in PAGES.items():
        page = center.go(path)
        page.wait_for_timeout(600)
        page.screenshot(path=folder / f"{name}-{language}-{theme}.png")
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in SERIOUS]
        assert serious == [], (name, [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in serious])


@pytest.mark.parametrize("width", [1000, 1240, 1920])
def test_no_page_is_wider_than_the_window(center: Center, width: int) -> None:
    page = center.page
    page.set_viewport_size({"width": width, "height": 800})
    for path in PAGES.values():
        center.go(path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)


def test_a_rule_is_found_put_on_trial_and_stays_in_the_filter(center: Center) -> None:
    page = center.go("/rules")
    page.locator("#text").fill("brute force")
    page.wait_for_url("**/rules?text=brute+force")
    page.locator("tr.row a.title").first.click()
    page.get_by_role("heading", name="Findings by day").wait_for()
    page.locator("textarea[name=reason]").fill("to be looked at for a week")
    page.get_by_role("button", name="On trial").click()
    page.locator(".decisions li", has_text="to be looked at for a week").wait_for()
    center.go("/rules?state=test")
    page.locator(f"tr.row[data-id='{SSH}'] .rule-test").wait_for()


def test_an_update_of_the_rules_is_looked_at_confirmed_and_taken_back(center: Center) -> None:
    stage_update(center.world.folder, b"another")
    page = center.go("/rules")
    page.get_by_role("link", name="Look at what it would change").click()
    page.locator(".change summary").first.click()
    page.get_by_role("button", name="Confirm: let it run").click()
    page.locator(".rule-active", has_text="Runs").wait_for()
    page.get_by_role("button", name="Back to no imported rules").click()
    page.get_by_text("no imported rules run").wait_for()
    stage_update(center.world.folder)


def test_drill_is_marked_in_the_list_and_on_the_page(center: Center) -> None:
    alert = center.world.raise_alert(realm=Realm.DRILL, unit="transport", rule=a_card(title="Exercise"))
    page = center.go("/alerts?realm=drill")
    assert page.locator(f"tr.row[data-id='{alert}'] .realm-drill").count() == 1
    assert page.locator(".realm-banner-drill").is_visible()
    center.go(f"/alerts/{alert}")
    assert page.locator(".realm-banner-drill").is_visible()
