"""The first start for real in real Chromium: three administrators, three links; then who may do what, by the mouse.

A real center, no evaluation. Any console error, page error or policy violation fails the test in which it happened.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.running import Center

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SERIOUS = frozenset({"serious", "critical"})
PASSWORD = "beacons on nine towers"
#: Chromium says this of every page whose answer is one; all else is a complaint.
ANSWERS = re.compile(r"Failed to load resource: the server responded with a status of (400|401|410|503) ")
NAMES = {
    "system administrator": "zhao.min",
    "security administrator": "li.na",
    "audit administrator": "wang.lei",
}
SYSTEM, SECURITY, AUDIT = NAMES
#: What each may open, and what they are photographed at.
PAGES = {
    SYSTEM: ("people", "jobs", "assets", "sources", "health", "account"),
    SECURITY: ("people", "keys", "alerts", "assets", "account"),
    AUDIT: ("audit", "health", "account"),
}


@dataclass
class Seat:
    """One administrator with a browser of their own."""

    role: str
    page: Page
    base: str
    secret: str = ""
    recovery: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    step: int = 0

    def watch(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not ANSWERS.match(message.text):
            self.complaints.append(f"{message.type}: {message.text}")

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def code(self) -> str:
        """A code that was not used yet: that of now, else the next one, which is good already."""
        self.step = max(int(time.time()) // 30, self.step + 1)
        return pyotp.TOTP(self.secret).generate_otp(self.step)

    def sign_in(self, code: str) -> None:
        self.go("/sign-in")
        self.page.locator("input[name=name]").fill(NAMES[self.role])
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("input[name=code]").fill(code)
        self.page.locator("form button.primary").click()

    def choose(self, **cookies: str) -> None:
        self.page.context.add_cookies([{"name": n, "value": v, "url": self.base} for n, v in cookies.items()])

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()


@dataclass(slots=True)
class FirstStart:
    """What was seen on the way to a center that is set up."""

    center: Center
    seats: dict[str, Seat]
    waiting: list[str]
    violations: list[tuple[str, list[str]]]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def photographed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Page, str], None]:
    folder = Path(os.environ.get("FENGSUI_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png") and None


@pytest.fixture(scope="module")
def started(
    browser: Browser, photographed: Callable[[Page, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FirstStart]:
    """A center whose three links were used in three browsers, and all three signed in."""
    center = Center(tmp_path_factory.mktemp("center"), [], name="示范市安全管理中心")
    center.start(evaluation=False)
    made = FirstStart(center, {}, [], [])
    try:
        for role, link in center.links().items():
            seat = a_seat(browser, role, link.partition("/setup/")[0])
            made.seats[role] = seat
            made.waiting.append(waiting(seat))
            set_up(seat, link, made, photographed)
        for seat in made.seats.values():
            seat.sign_in(seat.code())
        yield made
    finally:
        center.stop()


def a_seat(browser: Browser, role: str, base: str) -> Seat:
    context = browser.new_context(locale="en-US", color_scheme="dark", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    seat = Seat(role, context.new_page(), base)
    seat.watch()
    return seat


def waiting(seat: Seat) -> str:
    """What a page other than the links says; empty when it does not wait."""
    answer = seat.page.goto(seat.base + "/alerts")
    return seat.page.locator("main, .card").first.inner_text() if answer and answer.status == 503 else ""


def set_up(seat: Seat, link: str, made: FirstStart, photographed: Callable[[Page, str], None]) -> None:
    """From the link to the recovery codes."""
    page = seat.page
    page.goto(link)
    look(seat, made, photographed, "set-up-account")
    page.locator("input[name=name]").fill(NAMES[seat.role])
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=again]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/setup")
    seat.secret = page.locator(".secret code").inner_text().replace(" ", "")
    look(seat, made, photographed, "set-up-code")
    page.locator("input[name=code]").fill("000000")
    page.keyboard.press("Enter")
    page.locator(".complaint").wait_for()
    page.locator("input[name=code]").fill(seat.code())
    page.keyboard.press("Enter")
    page.locator(".recovery").wait_for()
    seat.recovery = page.locator(".recovery code").all_inner_texts()
    look(seat, made, photographed, "set-up-recovery")


def look(seat: Seat, made: FirstStart, photographed: Callable[[Page, str], None], name: str) -> None:
    photographed(seat.page, f"{name}-{seat.role.split()[0]}")
    if serious := violations(seat.page):
        made.violations.append((name, serious))


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in SERIOUS]


@pytest.fixture(autouse=True)
def nothing_complains(started: FirstStart) -> Iterator[None]:
    yield
    assert {role: seat.complaints for role, seat in started.seats.items() if seat.complaints} == {}


def test_until_all_three_links_are_used_every_other_page_says_what_to_do(started: FirstStart) -> None:
    assert len(started.waiting) == 3
    assert all("one-time links" in each for each in started.waiting)
    assert started.violations == []


def test_each_lands_on_a_page_of_their_own_duty(started: FirstStart) -> None:
    for role, seat in started.seats.items():
        seat.go("/")
        links = seat.page.locator("nav a[href]").evaluate_all("all => all.map(e => e.getAttribute('href').slice(1))")
        assert {page for page in links if page} >= set(PAGES[role])
    assert started.seats[SYSTEM].page.locator("nav a[href='/audit'], nav a[href='/keys']").count() == 0
    assert started.seats[AUDIT].page.locator("nav a[href='/people'], nav a[href='/alerts']").count() == 0


def test_a_wrong_code_is_refused_and_the_right_one_signs_in_again(browser: Browser, started: FirstStart) -> None:
    seat = a_seat(browser, AUDIT, started.seats[AUDIT].base)
    seat.sign_in("000000")
    seat.page.locator(".complaint").wait_for()
    assert seat.page.url.endswith("/sign-in")
    seat.sign_in(started.seats[AUDIT].recovery[0])
    seat.page.locator("nav a[href='/audit']").wait_for()
    seat.page.locator("form[action='/sign-out'] button").click()
    seat.page.wait_for_url("**/sign-in")
    seat.go("/audit")
    assert seat.page.url.endswith("/sign-in")
    assert seat.complaints == []


def test_one_administrator_makes_a_person_and_another_grants_the_role(started: FirstStart) -> None:
    system, security = started.seats[SYSTEM].go("/people"), started.seats[SECURITY]
    system.locator("form[action='/people'] input[name=name]").fill("chen.jie")
    system.locator("form[action='/people'] button").click()
    link = system.locator(".shown-once code").inner_text()
    assert link.startswith(f"{security.base}/setup/")
    assert system.locator("tr:has-text('chen.jie') details").count() == 0
    page = security.go("/people")
    row = page.locator("tr", has_text="chen.jie")
    row.locator("summary").click()
    row.get_by_label("Analyst").check()
    row.get_by_role("button", name="Grant").click()
    page.locator("tr", has_text="chen.jie").locator(".role-tag", has_text="Analyst").wait_for()
    audit = started.seats[AUDIT].go("/audit?person=chen.jie")
    assert "Roles changed" in audit.locator("tbody").inner_text()


def test_roles_of_administrators_are_not_combined(started: FirstStart) -> None:
    page = started.seats[SECURITY].go("/people")
    row = page.locator("tr", has_text=NAMES[AUDIT])
    row.locator("summary").click()
    row.get_by_label("Analyst").check()
    row.get_by_role("button", name="Grant").click()
    assert "stands alone" in page.locator(".complaint").inner_text()


def test_a_key_is_shown_once(started: FirstStart) -> None:
    page = started.seats[SECURITY].go("/keys")
    page.locator("form[action='/keys'] input[name=name]").fill("city-operations")
    page.locator("form[action='/keys'] button").click()
    assert "Bearer fsk_" in page.locator(".shown-once").inner_text()
    page.goto(f"{started.seats[SECURITY].base}/keys")
    assert page.locator(".shown-once").count() == 0
    assert page.locator("tr", has_text="city-operations").count() == 1


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("zh-CN", "light")])
def test_every_page_is_accessible_fits_and_is_photographed(
    started: FirstStart, photographed: Callable[[Page, str], None], language: str, theme: str, width: int
) -> None:
    for role, seat in started.seats.items():
        seat.choose(language=language, theme=theme)
        seat.page.set_viewport_size({"width": width, "height": 800 if width > 800 else 844})
        for name in PAGES[role]:
            page = seat.go(f"/{name}")
            page.wait_for_timeout(150)
            photographed(page, f"{name}-{role.split()[0]}-{language}-{theme}-{width}")
            assert violations(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
    for seat in started.seats.values():
        seat.choose(language="en", theme="dark")
        seat.page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("looks", [("en", "light"), ("zh-CN", "dark")])
def test_the_pages_before_sign_in_are_accessible_and_fit(
    browser: Browser, started: FirstStart, photographed: Callable[[Page, str], None], looks: tuple[str, str], width: int
) -> None:
    language, theme = looks
    person = f"p{width}.{language}"
    system = started.seats[SYSTEM].go("/people")
    system.locator("form[action='/people'] input[name=name]").fill(person)
    system.locator("form[action='/people'] button").click()
    link = system.locator(".shown-once code").inner_text()
    seat = a_seat(browser, person, started.seats[SYSTEM].base)
    seat.choose(language=language, theme=theme)
    seat.page.set_viewport_size({"width": width, "height": 844})

    def look(name: str) -> None:
        photographed(seat.page, f"{name}-{language}-{theme}-{width}")
        assert violations(seat.page) == [], name
        assert seat.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name

    seat.go("/sign-in")
    look("sign-in")
    seat.page.goto(link)
    look("set-up-1")
    for field_name in ("password", "again"):
        seat.page.locator(f"input[name={field_name}]").fill(PASSWORD)
    seat.page.keyboard.press("Enter")
    seat.page.locator(".secret").wait_for()
    look("set-up-2")
    seat.secret = seat.page.locator(".secret code").inner_text().replace(" ", "")
    seat.page.locator("input[name=code]").fill(seat.code())
    seat.page.keyboard.press("Enter")
    seat.page.locator(".recovery").wait_for()
    look("set-up-3")
    assert seat.complaints == []
