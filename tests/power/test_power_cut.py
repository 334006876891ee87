"""A power cut at any moment: every acknowledged id is in the archive once, alert counts are exact, the proof holds.

A real center is recorded under load; at each cut the disk is what it may have been then, a center is started on it, and
the senders send again what was not acknowledged before. ``FENGSUI_SEED`` repeats a run; 40 cuts in ``make soak``.
"""

import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from soc_center.system import SYSTEM
from soc_model.alert import Alert
from soc_store.archive_view import sealed_through
from soc_store.batch import decode_batch
from soc_store.event_query import FindingQuery
from soc_store.finding_search import search_findings
from soc_store.journal import JournalReader
from soc_store.log_files import list_files
from soc_store.outcome_log import OutcomeReader
from soc_store.state import AlertFilter, State
from tests.conftest import absent
from tests.power.chances import Dropped, Kept, Nameless, Torn, Zeros
from tests.power.disk import Chance, Tree, write_tree
from tests.power.load import ROOT, Run, environment, make_center, record_run
from tests.power.moments import Moment, moments
from tests.running import Center, wait_for
from tests.services.test_kills import archived, collected, drained, everyone

SEED = int(os.environ.get("FENGSUI_SEED", str(random.SystemRandom().randrange(1 << 32))))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    if shutil.which("cc") is None or not sys.platform.startswith("linux"):
        absent("cc", "the recorder is C for Linux")
    folder = tmp_path_factory.mktemp("power")
    center = make_center(folder)
    try:
        yield record_run(center, folder)
    finally:
        if center.running():
            center.stop()


def durable(tree: Tree) -> Tree:
    """Without SQLite's shared memory, which is mapped and made anew."""
    return {
        name: durable(node) if isinstance(node, dict) else node
        for name, node in tree.items()
        if not name.endswith("-shm")
    }


class Cut(NamedTuple):
    """A power cut: when, and what may be left."""

    moment: Moment
    chance: Chance
    tree: Tree

    def __repr__(self) -> str:
        return f"seed {SEED}: cut after {self.moment.after} at {self.moment.sort}, {type(self.chance).__name__}"


def cuts_of(run: Run, n: int) -> Iterator[Cut]:
    """``n`` power cuts in order."""
    disk, done = run.disk(), 0
    ops = run.operations.ops
    for number, moment in enumerate(moments(ops, str(run.root), n, random.Random(SEED))):
        disk.apply(ops[done : moment.after])
        done = moment.after
        chance = chance_of(number)
        yield Cut(moment, chance, durable(disk.root.after_cut(chance)))


def chance_of(number: int) -> Chance:
    """The worst as often as any; every second one at random."""
    return (Dropped(), Torn(SEED + number), Zeros(), Torn(SEED + number), Nameless(), Kept())[number % 6]


def put(run: Run, tree: Tree) -> None:
    shutil.rmtree(run.root)
    write_tree(run.root, tree)


@pytest.mark.services
@pytest.mark.soak
def test_every_change_was_recorded(run: Run) -> None:
    disk = run.disk()
    disk.apply(run.operations.ops)
    assert durable(disk.root.now()) == durable(run.after)


def settle(data: Path) -> None:
    """Let SQLite take every write-ahead log into its file, as the first who opens it does; readers cannot."""
    for path in data.rglob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def journaled(data: Path) -> set[str]:
    """The unique ids in the journal."""
    reader = JournalReader(data / "journal")
    blobs = [blob for _, blob in reader.read(0, 1 << 30)]
    reader.close()
    return {json.loads(one)["uid"] for blob in blobs for chunk in decode_batch(blob).chunks for one in chunk.records}


def missing(folder: Path) -> set[int]:
    """The offsets that a log leaves out between its first and its last."""
    there: set[int] = set()
    for file in list_files(folder):
        with closing(sqlite3.connect(file.path)) as connection:
            there.update(offset for (offset,) in connection.execute("SELECT offset FROM entry"))
    return set(range(min(there), max(there))) - there if there else set()


def cursor(data: Path) -> int:
    """How far triage has come; 0 where there is no state yet."""
    with closing(sqlite3.connect(data / "state.db")) as connection:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            return 0
        return int(connection.execute("SELECT last FROM sequence WHERE name = 'cursor'").fetchone()[0])


def reached(data: Path) -> list[int]:
    """How far triage, archive, outcome log and journal have come."""
    outcomes, journal = OutcomeReader(data / "outcomes"), JournalReader(data / "journal")
    far = [cursor(data), sealed_through(data), outcomes.last(), journal.last()]
    outcomes.close()
    journal.close()
    return far


@pytest.mark.parametrize(
    "cuts", [pytest.param(60, marks=pytest.mark.services), pytest.param(400, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(3000)
def test_no_store_is_ahead_of_what_it_was_made_from(run: Run, cuts: int) -> None:
    for cut in cuts_of(run, cuts):
        put(run, cut.tree)
        data = run.center.data
        settle(data)
        triaged, sealed, decided, received = reached(data)
        assert max(triaged, sealed) <= decided <= received, cut
        assert missing(data / "outcomes") == missing(data / "journal") == set(), cut
        archive = archived(data)
        assert set(archive.values()) <= {1}, cut
        assert run.acknowledged(cut.moment.after) - journaled(data) - archive.keys() == set(), cut


def replay(run: Run, tree: Tree, cut: int) -> None:
    """Start the center on what the cut left, send what was not acknowledged before, and stop when all is through."""
    center = run.center
    put(run, tree)
    center.output.write_text("")
    center.environment = environment(dict(os.environ))
    center.start()
    wait_for(lambda: everyone(center), 120, "everything running")
    for request in run.requests:
        if run.is_unheard(request, cut):
            wait_for(lambda request=request: center.send("http", request.lines) == 200, 30, "a request taken")
    wait_for(lambda: collected(center, "file") >= len(run.lines), 60, "the file read to its end")
    wait_for(lambda: drained(center), 90, "everything sealed and triaged")
    center.stop()


@dataclass(slots=True)
class Found:
    """What is in a center after a cut, as it should be for every cut."""

    events: Counter[str] = field(default_factory=Counter)
    found: int = 0  # findings, and what storms counted
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
        found=sum(len(findings_of(center, alert)) + alert.storm_count for alert in alerts(center)),
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


@pytest.mark.parametrize(
    "cuts", [pytest.param(6, marks=pytest.mark.services), pytest.param(40, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(3000)
def test_nothing_acknowledged_is_lost_or_doubled(run: Run, cuts: int) -> None:
    expected = Found(
        events=Counter(dict.fromkeys(run.sent, 1)),
        found=len(run.sent),
        alerts=dict(Counter(uid.partition("-")[0] for uid in run.sent)),
        proof=0,
    )
    for cut in cuts_of(run, cuts):
        replay(run, cut.tree, cut.moment.after)
        assert found_in(run.center) == expected, cut
    print(f"seed {SEED}: {cuts} cuts, {len(run.sent)} ids each, {len(run.operations.ops)} operations recorded")
