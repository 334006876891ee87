"""Random kill -9 of any process under load: every acknowledged id is in the archive once, alert counts are exact.

``FENGSUI_SEED`` repeats a run; 24 kills here, 200 in ``make soak``.
"""

import hashlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soc_center.system import SYSTEM
from soc_store.journal import JournalReader
from soc_store.search import EventQuery, search_events
from soc_store.state import AlertFilter, State
from tests.running import KEY, Center, wait_for

EVERYONE = {"up", "collect", "detect", "worker0", "worker1", "triage", "archiver", "serve"}
SEED = int(os.environ.get("FENGSUI_SEED", str(random.SystemRandom().randrange(1 << 32))))


def source(name: str, transport: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "transport": transport,
        "format": "json",
        "layer": "application",
        "unit": "unit",
        "logsource": {"product": "killtest"},
        **more,
    }


def record(sender: str, number: int) -> bytes:
    return json.dumps({"marker": "kill-test", "uid": f"{sender}-{number}", "host": {"name": sender}}).encode()


class HttpSender(threading.Thread):
    """Sends requests of 20 records, each again until it is acknowledged."""

    def __init__(self, center: Center, name: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.center, self.sender, self.stopped = center, name, stop
        self.acknowledged: list[str] = []
        self.sent = 0

    def run(self) -> None:
        while not self.stopped.is_set():
            numbers = range(self.sent, self.sent + 20)
            self.sent += 20
            lines = [record(self.sender, number) for number in numbers]
            while self.center.send("http", lines) != 200:
                time.sleep(0.1)
            self.acknowledged += [f"{self.sender}-{number}" for number in numbers]
            time.sleep(0.01)


class FileSender(threading.Thread):
    """Appends lines to a file that collect follows; whatever stands in the file must arrive."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.path, self.stopped = path, stop
        self.acknowledged: list[str] = []

    def run(self) -> None:
        with self.path.open("ab", buffering=0) as file:
            while not self.stopped.is_set():
                number = len(self.acknowledged)
                file.write(record("file", number) + b"\n")
                self.acknowledged.append(f"file-{number}")
                time.sleep(0.002)


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    followed = tmp_path / "followed.log"
    followed.touch()
    center = Center(
        tmp_path,
        [
            source("http", "http", key_sha256=hashlib.sha256(KEY.encode()).hexdigest(), trust="key"),
            source("file", "file", settings={"paths": [str(followed)], "follow": True, "from": "start"}),
        ],
        archive={"seal_rows": 5000, "seal_s": 3},
    )
    center.start()
    yield center
    center.stop()


def everyone(center: Center) -> dict[str, int]:
    """The process ids once every process runs, else nothing."""
    pids = center.pids()
    return pids if set(pids) >= EVERYONE else {}


def kill_one(center: Center, chance: random.Random) -> str:
    """Kill a random process and, where it was the supervisor, start the center again."""
    pids = wait_for(lambda: everyone(center), 60, "everything running")
    name = chance.choice(sorted(pids))
    os.kill(pids[name], signal.SIGKILL)
    if name == "up" and center.process is not None:
        center.process.wait()
        wait_for(lambda: not center.pids(), 30, "orphans gone")
        center.start()
    return name


def collected(center: Center, source_id: str) -> int:
    """How many records of a source are in the journal: the count commits with them."""
    reader = JournalReader(center.data / "journal")
    counters = reader.counters()
    reader.close()
    return counters.get(source_id, {}).get("records", 0)


def drained(center: Center) -> bool:
    """Whether everything in the journal is sealed and triaged."""
    last = center.gauge("collect").get("values", {}).get("last_offset", -1)
    sealed = center.gauge("archiver").get("values", {}).get("sealed_through", -2)
    return bool(last == sealed == center.gauge("triage").get("values", {}).get("cursor", -3))


def archived(data: Path) -> Counter[str]:
    """How often each unique id is among the events."""
    found: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        page = search_events(data, SYSTEM, EventQuery(limit=5000, cursor=cursor))
        found.update(json.loads(row["raw"])["uid"] for row in page.rows)
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(
    "kills", [pytest.param(24, marks=pytest.mark.services), pytest.param(200, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(3000)
def test_nothing_acknowledged_is_lost_or_doubled(center: Center, tmp_path: Path, kills: int) -> None:
    chance, stop = random.Random(SEED), threading.Event()
    senders = [HttpSender(center, name, stop) for name in ("a", "b")]
    sending = [*senders, FileSender(tmp_path / "followed.log", stop)]
    wait_for(lambda: center.gauge("detect"), 60, "detect running")
    for sender in sending:
        sender.start()
    killed = Counter(kill_one(center, chance) for _ in range(kills) if not time.sleep(chance.uniform(0.3, 2.0)))
    stop.set()
    for sender in sending:
        sender.join(60)
    wait_for(lambda: collected(center, "file") >= len(sending[-1].acknowledged), 60, "the file read to its end")
    wait_for(lambda: drained(center), 90, "everything sealed and triaged")
    center.stop()
    found = archived(center.data)
    acknowledged = [uid for sender in sending for uid in sender.acknowledged]
    print(f"seed {SEED}: killed {dict(killed)}; {len(acknowledged)} acknowledged, {sum(found.values())} archived")
    assert [uid for uid in acknowledged if uid not in found] == []
    assert {uid: n for uid, n in found.items() if n != 1} == {}
    state = State.open(f"sqlite:///{center.data}/state.db", migrate=False)
    page = state.alerts(SYSTEM, AlertFilter(), sort="last_seen", limit=100, cursor=None)
    assert sum(alert.count for alert in page.alerts) == sum(found.values())
    assert sum(killed.values()) == kills
    assert len(killed) > 1, "more than one kind of process was killed"
