"""Rules exchanged under load: every record decided once, each under exactly the rules that its outcome names."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from soc_center.gauge import now_us
from soc_center.quarantine import Entry, Kind, Quarantine, Settled
from soc_center.replay import ask_replay
from soc_center.system import SYSTEM
from soc_model.chunk import Batch, Chunk
from soc_model.finding import finding_id
from soc_model.outcome import Outcome
from soc_model.source import Logsource, Source
from soc_store.batch import encode_batch
from soc_store.outcome_log import OutcomeReader
from soc_store.state import AlertFilter, State
from tests.center.detection_run import column
from tests.running import KEY, Center, wait_for

A, B = "3f0e7c1a-52d4-4d0e-9c57-0a3d1c5b7e21", "7c6b1f0e-0f60-4c39-8d0e-94d1e7a1b2c3"
RULE = """
title: Ends in {end}
id: {id}
status: test
level: medium
logsource: {{product: killtest}}
detection:
    ends: {{uid|endswith: '{end}'}}
    condition: ends
"""
BROKEN = "title: broken\ndetection: [\n"
Stage = dict[str, str]  # rule id to the end of uid that it looks for


def rule(rule_id: str, end: str) -> str:
    return RULE.format(id=rule_id, end=end)


class Sender(threading.Thread):
    """Sends requests of 10 records, each again until it is acknowledged."""

    def __init__(self, center: Center) -> None:
        super().__init__(daemon=True)
        self.center, self.stopped = center, threading.Event()
        self.acknowledged: list[str] = []

    def run(self) -> None:
        while not self.stopped.is_set():
            uids = [f"n-{len(self.acknowledged) + i}" for i in range(10)]
            lines = [json.dumps({"uid": uid, "host": {"name": "h"}}).encode() for uid in uids]
            while self.center.send("http", lines) != 200:
                time.sleep(0.1)
            self.acknowledged += uids
            time.sleep(0.02)

    def end(self) -> None:
        self.stopped.set()
        self.join(30)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.yml").write_text(rule(A, "0"))
    return folder


@pytest.fixture
def center(tmp_path: Path, rules: Path) -> Iterator[Center]:
    source = {"id": "http", "name": "http", "transport": "http", "format": "json", "layer": "application"}
    key = {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "trust": "key"}
    center = Center(
        tmp_path,
        [{**source, **key, "unit": "unit", "logsource": {"product": "killtest"}}],
        archive={"seal_rows": 1_000_000, "seal_s": 3600},  # so that every outcome stays to be looked at
        detection={"rules": [str(rules)]},
    )
    center.start()
    wait_for(lambda: live(center) and center.gauge("serve"), 60, "the center running")
    yield center
    center.stop()


def live(center: Center) -> str:
    """The snapshot that decides now."""
    return str(center.gauge("detect").get("values", {}).get("snapshot", ""))


def report(center: Center) -> dict[str, Any]:
    return dict(center.gauge("reload").get("values", {}))


def exchanged(center: Center, change: Callable[[], object]) -> str:
    """The snapshot that runs after a change of the rules."""
    before = live(center)
    change()
    return str(wait_for(lambda: (now := live(center)) != before and now, 40, "other rules live"))


def outcomes(center: Center) -> list[Outcome]:
    reader = OutcomeReader(center.data / "outcomes")
    found = reader.outcomes(0, 1_000_000)
    reader.close()
    return found


def wanted(outcome: Outcome, stage: Stage) -> set[tuple[str, str]]:
    """What (rule, event) an outcome must hold by a plain look at its records."""
    found = set()
    for block in outcome.blocks:
        for raw, event in zip(column(block, "raw"), column(block, "event_id"), strict=True):
            found |= {(one, event) for one, end in stage.items() if json.loads(raw)["uid"].endswith(end)}
    return found


def check(center: Center, acknowledged: list[str], stages: dict[str, Stage]) -> None:
    """Every acknowledged record once, offsets without a gap, findings as the named rules give, alerts their sum."""
    wait_for(lambda: center.gauge("triage").get("values", {}).get("cursor") == outcomes(center)[-1].offset, 30, "done")
    found = outcomes(center)
    uids = Counter(json.loads(raw)["uid"] for one in found for block in one.blocks for raw in column(block, "raw"))
    assert (uids.keys(), set(uids.values())) == (set(acknowledged), {1})
    assert [one.offset for one in found] == list(range(1, len(found) + 1))
    for one in found:
        cards = {card.id: card.content_sha256 for card in one.cards.values()}
        assert {(f.rule_id, f.event_id) for f in one.findings} == wanted(one, stages[one.snapshot])
        assert all(f.finding_id == finding_id(f.rule_id, cards[f.rule_id], f.event_id) for f in one.findings)
    state = State.open(f"sqlite:///{center.data}/state.db", migrate=False)
    alerts = state.alerts(SYSTEM, AlertFilter(), sort="last_seen", limit=50, cursor=None).alerts
    state.close()
    counted: Counter[str] = Counter()
    for alert in alerts:
        counted[alert.rule.id] += alert.count
    assert counted == Counter(finding.rule_id for one in found for finding in one.findings)


@pytest.mark.timeout(180)
def test_rules_are_exchanged_under_load_without_gap_or_double(center: Center, rules: Path) -> None:
    stages: dict[str, Stage] = {live(center): {A: "0"}}
    sender = Sender(center)
    sender.start()
    stages[exchanged(center, lambda: (rules / "b.yml").write_text(rule(B, "")))] = {A: "0", B: ""}
    stages[exchanged(center, lambda: (rules / "a.yml").write_text(rule(A, "1")))] = {A: "1", B: ""}
    stages[exchanged(center, (rules / "b.yml").unlink)] = {A: "1"}
    (rules / "broken.yml").write_text(BROKEN)
    told = wait_for(lambda: (r := report(center)).get("result") == "unchanged" and r, 40, "the broken rule named")
    assert told["refusals"][0].startswith(f"{rules / 'broken.yml'}:")
    sender.end()
    check(center, sender.acknowledged, stages)
    assert {one.snapshot for one in outcomes(center)} == set(stages) and len(stages) == 4
    up = center.gauge("up")["values"]
    assert (up["restarts"]["detect"], up["handovers"]["detect"]) == (0, 3)


@pytest.mark.timeout(120)
def test_rules_that_cannot_be_loaded_leave_those_before(center: Center, rules: Path) -> None:
    before, pid = live(center), center.pids()["detect"]
    (rules / "a.yml").unlink()
    told = wait_for(lambda: report(center).get("result") == "failed" and report(center), 40, "the reason")
    assert told["problem"] == f"{rules}: no rule in it"
    assert (live(center), center.pids()["detect"]) == (before, pid)
    assert exchanged(center, lambda: (rules / "a.yml").write_text(rule(A, "7"))) != before


def kill_successor(center: Center) -> None:
    [pid] = wait_for(lambda: list(center.gauge("up")["values"]["successors"].values()), 30, "a successor")
    os.kill(pid, signal.SIGKILL)


def kill_predecessor(center: Center) -> None:
    wait_for(lambda: center.gauge("up")["values"]["successors"], 30, "a successor")
    os.kill(center.pids()["detect"], signal.SIGKILL)


def kill_both(center: Center) -> None:
    [pid] = wait_for(lambda: list(center.gauge("up")["values"]["successors"].values()), 30, "a successor")
    for each in (pid, center.pids()["detect"]):
        os.kill(each, signal.SIGKILL)


def stop_and_kill(center: Center) -> None:
    """Hold the one at work still until its successor waits for it, then kill it: the hand-over has begun."""
    pid = center.pids()["detect"]
    os.kill(pid, signal.SIGSTOP)
    [after] = wait_for(lambda: list(center.gauge("up")["values"]["successors"].values()), 30, "a successor")
    wait_for(lambda: "detect.next" in locks(after), 30, "next in line")
    os.kill(pid, signal.SIGKILL)


def locks(pid: int) -> str:
    """The names of the files that a process has open with a lock (proc(5), ``locks``)."""
    lines = [line for line in Path("/proc/locks").read_text().splitlines() if f" {pid} " in line]
    held = {line.split()[5].rpartition(":")[2] for line in lines}
    found = []
    with suppress(FileNotFoundError):  # the process ends, or closes what it has just read
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found += [str(link.readlink())] if str(link.stat().st_ino) in held else []
    return " ".join(found)


KILLS = [kill_successor, kill_predecessor, kill_both, stop_and_kill]


@pytest.mark.services
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kill", KILLS, ids=[kill.__name__ for kill in KILLS])
def test_a_kill_during_the_hand_over_loses_and_doubles_nothing(
    center: Center, rules: Path, kill: Callable[[Center], None]
) -> None:
    first = live(center)
    sender = Sender(center)
    sender.start()
    (rules / "a.yml").write_text(rule(A, "5"))
    kill(center)
    second = wait_for(lambda: (now := live(center)) != first and now, 90, "the other rules live all the same")
    before = len(sender.acknowledged)
    wait_for(lambda: len(sender.acknowledged) > before + 200, 30, "it goes on")
    sender.end()
    check(center, sender.acknowledged, {first: {A: "0"}, second: {A: "5"}})


@pytest.mark.timeout(120)
def test_asked_for_by_command_the_answer_is_what_came_of_it(center: Center, rules: Path) -> None:
    command = [sys.executable, "-m", "soc_center", "rules", "reload", "--data", str(center.data)]
    same = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert same.stdout.startswith("unchanged: ") and live(center)[:12] in same.stdout
    rules.rename(rules.with_name("away"))
    gone = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (gone.returncode, gone.stdout) == (1, f"failed: {rules}: no such file or folder of rules\n")


@pytest.mark.timeout(120)
def test_a_quarantined_record_comes_in_again_through_the_running_center(center: Center) -> None:
    source = Source(**{**center.settings["sources"][0], "logsource": Logsource(product="killtest")})
    record = json.dumps({"uid": "again-0"}).encode()
    chunk = Chunk(source_id="http", stream="x", received=now_us(), format="json", records=[record])
    batch = Batch(offset=7, received=now_us(), sources={"http": source}, chunks=[chunk])
    entry = Entry(offset=7, at=now_us(), kind=Kind.BATCH, why="test")
    quarantine = Quarantine(center.data / "quarantine")
    quarantine.keep(entry, encode_batch(batch))
    word = Settled(how="replayed", who="li", why="fixed", at=now_us())
    ask_replay(center.data / "inbox", quarantine, 7, word)
    wait_for(lambda: outcomes(center), 30, "it decided")
    [outcome] = outcomes(center)
    assert [column(block, "flags") for block in outcome.blocks] == [["time_flagged replay_of:batch:7"]]
    assert (len(outcome.findings), quarantine.entry(7).settled) == (1, word)
