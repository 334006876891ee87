"""The rule library in a running center: let in, put on trial, taken back, each without a stop."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_center.gauge import now_us
from soc_center.system import SYSTEM
from soc_store.rule_catalogue import RuleCatalogue
from soc_store.state import AlertFilter, State
from tests.running import KEY, Center, wait_for

pytestmark = pytest.mark.soak

RULE_ID = "7c6b1f0e-0f60-4c39-8d0e-94d1e7a1b2c3"
RULE = f"""
title: Imported
id: {RULE_ID}
status: stable
level: high
logsource: {{product: killtest}}
detection:
    ends: {{uid|endswith: '!'}}
    condition: ends
"""


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    source = {"id": "http", "name": "http", "transport": "http", "format": "json", "layer": "application"}
    key = {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "trust": "key"}
    made = Center(tmp_path, [{**source, **key, "unit": "unit", "logsource": {"product": "killtest"}}])
    made.start()
    wait_for(lambda: made.gauge("detect") and made.gauge("serve") and made.gauge("collect"), 60, "the center running")
    yield made
    made.stop()


def fengsui(center: Center, *arguments: str) -> str:
    command = [sys.executable, "-m", "soc_center", "rules", *arguments, "--data", str(center.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def found(center: Center) -> tuple[int, int]:
    """What the rule has found, and the alerts that it has raised."""
    state = State.open(f"sqlite:///{center.data}/state.db")
    counted = state.rule_hours.found(SYSTEM, 0).get(RULE_ID, 0)
    alerts = sum(alert.count for alert in state.alerts(SYSTEM, AlertFilter(rule_id=RULE_ID)).alerts)
    state.close()
    return counted, alerts


def send(center: Center, times: int) -> None:
    lines = [json.dumps({"uid": f"{now_us()} {n} !", "host": {"name": "h"}}).encode() for n in range(times)]
    wait_for(lambda: center.send("http", lines) == 200, 20, "taken in")


def test_imported_rules_come_in_are_tried_and_go(center: Center, tmp_path: Path) -> None:
    archive = tmp_path / "rules.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("rule.yml", RULE)
    assert "exchanged" in fengsui(center, "update", "--from", str(archive), "--yes")
    send(center, 3)
    wait_for(lambda: found(center) == (3, 3), 20, "three findings, an alert of three")
    assert "exchanged" in fengsui(center, "state", RULE_ID, "test", "--reason", "noisy")
    send(center, 4)
    wait_for(lambda: found(center) == (7, 3), 20, "findings counted, no alert")
    catalogue = RuleCatalogue(center.data / "rule-catalogue.db")
    head, whole = catalogue.head(), catalogue.whole(RULE_ID)
    assert head is not None and whole is not None
    assert (head.library, whole.entry.state.value, whole.entry.no_source) == (1, "test", False)
    assert "exchanged" in fengsui(center, "back")
    send(center, 5)
    wait_for(
        lambda: center.gauge("triage")["values"]["cursor"] == center.gauge("detect")["values"]["written"], 20, "done"
    )
    assert found(center) == (7, 3)
    assert catalogue.whole(RULE_ID) is None
