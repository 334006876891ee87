"""A power cut at any moment: every acknowledged id is in the archive once, alert counts are exact, the proof holds.

A real center is recorded under load; at each cut the disk is what it may have been then, a center is started on it, and
the senders send again what was not acknowledged before. ``FENGSUI_SEED`` repeats a run; 40 cuts in ``make soak``.
"""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from soc_center.system import SYSTEM
from soc_model.alert import Alert
from soc_store.event_query import FindingQuery
from soc_store.finding_search import search_findings
from soc_store.state import AlertFilter, State
from tests.conftest import absent
from tests.power.chances import Dropped, Kept, Nameless, Torn, Zeros
from tests.power.disk import Chance, Disk, Tree, read_inodes, read_tree, write_tree
from tests.power.moments import Moment, moments
from tests.power.recording import Operations, Recording
from tests.running import KEY, Center, wait_for
from tests.services.test_kills import FileSender, archived, collected, drained, everyone, record, source

SEED = int(os.environ.get("FENGSUI_SEED", str(random.SystemRandom().randrange(1 << 32))))
LOAD_S = 12.0
SITE = Path(__file__).with_name("site")
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Request:
    """What was sent in one request, and how far the recording was when its acknowledgement came."""

    sender: str
    numbers: range
    mark: int = sys.maxsize

    @property
    def lines(self) -> list[bytes]:
        return [record(self.sender, number) for number in self.numbers]

    @property
    def uids(self) -> list[str]:
        return [f"{self.sender}-{number}" for number in self.numbers]


@dataclass(slots=True)
class Run:
    """A recorded run: where the center was, what was there before and done since, and who sent what."""

    center: Center
    root: Path
    before: Tree
    inodes: dict[str, int]
    operations: Operations
    requests: list[Request]
    lines: list[str]  # of the followed file

    def disk(self) -> Disk:
        """The disk before the run."""
        return Disk(str(self.root), self.inodes[""], self.before, self.inodes)


class Sender(threading.Thread):
    """Sends requests of 20 records, each again until it is acknowledged."""

    def __init__(self, center: Center, recording: Recording, name: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.center, self.recording, self.sender, self.stopped = center, recording, name, stop
        self.requests: list[Request] = []

    def run(self) -> None:
        while not self.stopped.is_set():
            begin = 20 * len(self.requests)
            request = Request(self.sender, range(begin, begin + 20))
            self.requests.append(request)
            while self.center.send("http", request.lines) != 200:
                time.sleep(0.1)
            request.mark = self.recording.mark()
            time.sleep(0.05)


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    if shutil.which("cc") is None or not sys.platform.startswith("linux"):
        absent("cc", "the recorder is C for Linux")
    followed = tmp_path / "followed.log"
    followed.touch()
    center = Center(
        tmp_path / "root",
        [
            source("http", "http", key_sha256=hashlib.sha256(KEY.encode()).hexdigest(), trust="key"),
            source("file", "file", settings={"paths": [str(followed)], "follow": True, "from": "start"}),
        ],
        archive={"seal_rows": 1000, "seal_s": 2},
    )
    center.output = tmp_path / "up.log"  # below the root it would be made by us, and not be recorded
    yield center
    if center.running():
        center.stop()


def environment(base: dict[str, str]) -> dict[str, str]:
    return {**base, "PYTHONPATH": os.pathsep.join((str(SITE), str(ROOT)))}


def record_run(center: Center, folder: Path) -> Run:
    """A run from the first start to a clean stop, under load, with signed checkpoints."""
    root = (folder / "root").resolve()
    recording = Recording(folder, root)
    before, inodes = read_tree(root), {"": root.stat().st_ino, **read_inodes(root)}
    center.environment = environment(recording.environment())
    center.start()
    wait_for(lambda: everyone(center), 120, "everything running")
    stop = threading.Event()
    senders = [Sender(center, recording, name, stop) for name in ("a", "b")]
    file = FileSender(folder / "followed.log", stop)
    for one in (*senders, file):
        one.start()
    time.sleep(LOAD_S / 2)
    checkpoint(center)
    time.sleep(LOAD_S / 2)
    stop.set()
    for one in (*senders, file):
        one.join(60)
    wait_for(lambda: drained(center), 90, "everything sealed and triaged")
    center.stop()
    requests = [request for sender in senders for request in sender.requests]
    return Run(center, root, before, inodes, recording.operations(), requests, file.acknowledged)


def checkpoint(center: Center) -> None:
    command = [sys.executable, "-m", "soc_center", "archive", "checkpoint", "--data", str(center.data)]
    subprocess.run(command, env=center.environment, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def durable(tree: Tree) -> Tree:
    """Without SQLite's shared memory, which is mapped and made anew."""
    return {
        name: durable(node) if isinstance(node, dict) else node
        for name, node in tree.items()
        if not name.endswith("-shm")
    }


def replay(run: Run, tree: Tree, cut: int) -> None:
    """Start the center on what the cut left, send what was not acknowledged before, and stop when all is through."""
    center = run.center
    shutil.rmtree(run.root)
    write_tree(run.root, durable(tree))
    center.output.write_text("")
    center.environment = environment(dict(os.environ))
    center.start()
    wait_for(lambda: everyone(center), 120, "everything running")
    for request in run.requests:
        if run.operations.before(request.mark) > cut:
            wait_for(lambda request=request: center.send("http", request.lines) == 200, 30, "a request taken")
    wait_for(lambda: collected(center, "file") >= len(run.lines), 60, "the file read to its end")
    wait_for(lambda: drained(center), 90, "everything sealed and triaged")
    center.stop()


@dataclass(slots=True)
class Found:
    """What is in a center after a cut, as it should be for every cut."""

    events: Counter[str] = field(default_factory=Counter)
    findings: int = 0
    alerts: dict[str, int] = field(default_factory=dict)
    proof: int = -1
    falls: list[str] = field(default_factory=list)


def found_in(center: Center) -> Found:
    command = [sys.executable, "-m", "soc_center", "archive", "verify", "--data", str(center.data)]
    proof = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if proof.returncode:
        print(proof.stdout, proof.stderr)
    return Found(
        events=archived(center.data),
        findings=sum(len(findings_of(center, alert)) for alert in alerts(center)),
        alerts={alert.group["host.name"]: alert.count for alert in alerts(center)},
        proof=proof.returncode,
        falls=re.findall(r".*ended \(.*|.*could not.*|Traceback.*", center.output.read_text()),
    )


def alerts(center: Center) -> list[Alert]:
    state = State.open(f"sqlite:///{center.data}/state.db", migrate=False)
    try:
        return state.alerts(SYSTEM, AlertFilter(), limit=100).alerts
    finally:
        state.close()


def findings_of(center: Center, alert: Alert) -> set[str]:
    """The ids of the findings an alert clicks through to."""
    asked = FindingQuery(key=alert.key, first_offset=alert.first_offset, last_offset=alert.last_offset, limit=10_000)
    return {finding.finding_id for finding in search_findings(center.data, SYSTEM, asked).findings}


def chance_of(number: int) -> Chance:
    """The worst most often; every second one at random."""
    return (Dropped(), Torn(SEED + number), Zeros(), Torn(SEED + number), Nameless(), Kept())[number % 6]


@pytest.mark.parametrize(
    "cuts", [pytest.param(6, marks=pytest.mark.services), pytest.param(40, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(3000)
def test_nothing_acknowledged_is_lost_or_doubled_by_a_power_cut(center: Center, tmp_path: Path, cuts: int) -> None:
    run = record_run(center, tmp_path)
    whole, disk = run.disk(), run.disk()
    whole.apply(run.operations.ops)
    assert durable(whole.root.now()) == durable(read_tree(run.root)), "every change was recorded"
    sent = [uid for request in run.requests for uid in request.uids] + run.lines
    expected = Counter(uid.partition("-")[0] for uid in sent)
    chosen = moments(run.operations.ops, str(run.root), cuts, random.Random(SEED))
    done = 0
    for number, moment in enumerate(chosen):
        disk.apply(run.operations.ops[done : moment.after])
        done = moment.after
        replay(run, disk.root.after_cut(chance_of(number)), done)
        found = found_in(center)
        assert found == Found(
            events=Counter(dict.fromkeys(sent, 1)), findings=len(sent), alerts=dict(expected), proof=0
        ), f"seed {SEED}, cut {number} ({chance_of(number)}), {moment}"
