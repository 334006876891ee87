"""The first minute of a newcomer: the center starts, the drill runs, its alerts of all six layers are on the screen."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from soc_model.layer import Layer
from tests.running import Center, wait_for

SECONDS = 60
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, [])
    (center.data / "fengsui.yml").unlink()  # as on the first start of all
    yield center
    center.stop()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser.new_context(locale="zh-CN").new_page()
        browser.close()


def layers_on_screen(page: Page, base: str) -> set[str]:
    """The layers whose alerts the alert page shows."""
    page.goto(f"{base}/alerts")
    return set(page.locator("tbody tr [data-layer]").evaluate_all("all => all.map(e => e.dataset.layer)"))


@pytest.mark.services
@pytest.mark.timeout(180)
def test_the_drills_alerts_of_all_layers_are_on_screen_within_a_minute(center: Center, page: Page) -> None:
    began = time.monotonic()
    center.start("--drill")
    link = center.link()
    page.goto(link)
    page.locator("main button, form button").first.click()
    base = link.partition("/setup/")[0]
    wait_for(lambda: layers_on_screen(page, base) == set(Layer), SECONDS - (time.monotonic() - began), "all six layers")
    assert time.monotonic() - began < SECONDS
    assert page.locator("tbody tr", has_text="演练").count() == page.locator("tbody tr").count()
    page.locator("tbody tr a").first.click()
    page.wait_for_url("**/alerts/*")
    assert page.locator("h1").inner_text()
    assert "告警原因" in page.content()
    text = wait_for(lambda: "19/19" in center.output.read_text() and center.output.read_text(), 60, "the verdict")
    assert "found 19 of 19, missed 0, extra 0" in text
