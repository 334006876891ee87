"""A running center watched from outside: what the doctor says of it, and what a scraper reads."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_center.doctor.diagnosis import Word
from soc_center.doctor.examine import examine
from soc_center.folder import DataFolder
from tests.running import Center, wait_for

SOURCE = {"id": "in", "name": "in", "transport": "http", "format": "json", "layer": "host", "unit": "unit"}
PROCESSES = ("up", "collect", "detect", "triage", "archiver", "serve", "schedule", "work")


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, [{**SOURCE, "key_sha256": "ab" * 32}])
    center.start()
    wait_for(lambda: all(center.gauge(name) for name in PROCESSES), 60, "running")
    yield center
    center.stop()


@pytest.mark.timeout(120)
def test_the_doctor_and_a_scraper_find_it_well(center: Center) -> None:
    origin = f"http://127.0.0.1:{center.console}"
    request = urllib.request.Request(center.link(), method="POST", headers={"Origin": origin})
    opened = urllib.request.build_opener(urllib.request.HTTPHandler)
    opened.open(request, timeout=10).close()
    token = (center.data / "metrics.token").read_text().strip()
    request = urllib.request.Request(f"{origin}/metrics", headers={"Authorization": f"Bearer {token}"})
    with opened.open(request, timeout=10) as answer:
        page = answer.read().decode()
    assert all(f'fengsui_process_up{{process="{name}"}} 1' in page for name in PROCESSES)
    assert 'fengsui_source_events_total{source="in",layer="host",unit="unit",realm="live"} 0' in page
    found = [each for each in examine(DataFolder(center.data)) if each.subject in ("ports", "processes", "state")]
    assert [each.cause for each in found if each.word is not Word.OK] == []
    assert {f"console 127.0.0.1:{center.console} is ours", f"intake 127.0.0.1:{center.intake} is ours"} <= {
        each.cause for each in found
    }
