"""The whole spine in real processes: records in by file and HTTP, alerts and events out, hostile input on the way."""

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc_center.system import SYSTEM
from soc_model.alert import Alert
from soc_model.source import Source
from soc_store.search import EventQuery, search_events
from soc_store.source_report import SourceReport, source_reports
from soc_store.state import AlertFilter, State
from tests.running import KEY, Center, wait_for

LONG_BYTES = 100 * 1024 * 1024


def source(name: str, transport: str, format_name: str, **more: Any) -> dict[str, Any]:
    logsource = {"product": "killtest"}
    base = {"id": name, "name": name, "transport": transport, "format": format_name, "layer": "host", "unit": "unit"}
    return {**base, "logsource": logsource, **more}


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    (tmp_path / "logs").mkdir()
    key = {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "trust": "key"}
    follow = {"settings": {"paths": [str(tmp_path / "logs" / "*.log")], "follow": True, "from": "start"}}
    center = Center(tmp_path, [source("http", "http", "json", **key), source("files", "file", "json", **follow)])
    center.start()
    wait_for(lambda: center.gauge("detect") and center.gauge("serve"), 60, "the center running")
    yield center
    center.stop()


def alerts(center: Center) -> list[Alert]:
    state = State.open(f"sqlite:///{center.data}/state.db", migrate=False)
    found = list(state.alerts(SYSTEM, AlertFilter(), sort="last_seen", limit=50, cursor=None).alerts)
    state.close()
    return found


def report(center: Center, name: str) -> SourceReport:
    sources = [Source(**{**one, "logsource": None}) for one in center.settings["sources"]]
    return next(one for one in source_reports(center.data, SYSTEM, sources) if one.source_id == name)


def marked(uid: str) -> bytes:
    return json.dumps({"marker": "kill-test", "uid": uid}).encode()


@pytest.mark.timeout(120)
def test_a_record_becomes_an_event_and_an_alert(center: Center) -> None:
    assert center.send("http", [marked("one"), marked("two"), b'{"marker": "other"}']) == 200
    [alert] = wait_for(lambda: alerts(center), 20, "an alert")
    assert (alert.rule.title, alert.count, alert.unit) == ("Marked by the kill test", 2, "unit")
    page = search_events(center.data, SYSTEM, EventQuery(text="other"))
    assert [row["raw"] for row in page.rows] == ['{"marker": "other"}']


HOSTILE = {
    "broken.log": b'{"marker": "kill-test"\n',
    "surrogate.log": b'{"marker": "\\ud800"}\n',
    "noise.log": bytes(range(256)).replace(b"\n", b"") + b"\n",
    "twice.log": b'{"marker": "a", "marker": "kill-test"}\n',
}


@pytest.mark.timeout(180)
def test_hostile_files_stop_nothing_and_are_counted(center: Center, tmp_path: Path) -> None:
    for name, data in HOSTILE.items():
        (tmp_path / "logs" / name).write_bytes(data)
    with (tmp_path / "logs" / "long.log").open("wb") as file:
        for _ in range(LONG_BYTES // (1 << 20)):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + marked("after the long line") + b"\n")
    expected = len(HOSTILE) + 2
    wait_for(lambda: report(center, "files").events >= expected, 90, "all records decided")
    wait_for(lambda: report(center, "files").counters.get("oversize") == 1, 10, "the long line counted")
    counted = report(center, "files")
    assert (counted.events, counted.truncated) == (expected, 1)
    assert counted.unparsed == 3
    assert "logs/" in counted.last_problem
    page = search_events(center.data, SYSTEM, EventQuery(text="after"))
    assert len(page.rows) == 1
    assert {alert.count for alert in alerts(center)} == {2}


@pytest.mark.timeout(120)
def test_a_file_is_read_on_after_a_restart(center: Center, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "app.log"
    log.write_bytes(marked("before") + b"\n" + marked("unfinished")[:10])
    wait_for(lambda: report(center, "files").events == 1, 20, "the first line")
    center.stop()
    with log.open("ab") as file:
        file.write(marked("unfinished")[10:] + b"\n")
    center.start()
    wait_for(lambda: report(center, "files").events == 2, 60, "the second line")
    page = search_events(center.data, SYSTEM, EventQuery())
    assert sorted(json.loads(row["raw"])["uid"] for row in page.rows) == ["before", "unfinished"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("key", ["", "Bearer wrong", f"Basic {KEY}"])
def test_intake_needs_the_sources_own_key(center: Center, key: str) -> None:
    import urllib.error
    import urllib.request

    url = f"http://127.0.0.1:{center.intake}/v1/intake/http"
    request = urllib.request.Request(url, data=marked("x"), headers={"Authorization": key} if key else {})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 401
    caught.value.close()


def test_nothing_is_left_running(center: Center) -> None:
    pids = center.pids()
    assert set(pids) >= {"up", "collect", "detect", "triage", "archiver", "serve", "worker0", "worker1"}
    center.stop()
    assert center.pids() == {}
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


@pytest.mark.timeout(60)
def test_a_rule_with_a_syntax_error_is_named_and_stops_nothing(tmp_path: Path) -> None:
    center = Center(tmp_path, [])
    broken = tmp_path / "rules" / "broken.yml"
    broken.write_text("title: broken\ndetection: [\n")
    (center.data / "fengsui.yml").write_text(
        yaml.safe_dump({**center.settings, "detection": {"rules": [str(tmp_path / "rules")]}})
    )
    center.start()
    told = wait_for(lambda: center.gauge("detect").get("values"), 30, "detect running")
    center.stop()
    assert told["rules_refused"] == 1
    assert told["refusals"][0].startswith(f"{broken}:")
    assert f"refused {broken}:" in (center.data / "log" / "detect.log").read_text()


@pytest.mark.timeout(60)
def test_a_port_in_use_stops_no_other_way_in(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    key = {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "trust": "key"}
    files = {"settings": {"paths": [str(tmp_path / "logs" / "*.log")]}}
    center = Center(tmp_path, [source("http", "http", "json", **key), source("files", "file", "json", **files)])
    with socket.create_server(("127.0.0.1", center.intake)):
        center.start()
        (tmp_path / "logs" / "a.log").write_bytes(marked("x") + b"\n")
        wait_for(lambda: center.gauge("collect") and report(center, "files").events == 1, 30, "the file collected")
    wait_for(lambda: center.send("http", [marked("y")]) == 200, 30, "the port taken once it was free")
    center.stop()
