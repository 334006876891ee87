"""kill -9 at any moment: what was acknowledged is there, once, and positions and counters agree with it."""

import random
import subprocess
import sys
import time

from soc_store.journal import JournalReader, decode_batch
from soc_store.outcome_log import OutcomeReader

KILLS = 6


def acknowledged_until_killed(folder, root, lines):
    """The ids that a fresh process printed as acknowledged before SIGKILL, soon after so many."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.killed", str(folder)], stdout=subprocess.PIPE, cwd=root
    ) as process:
        first = [process.stdout.readline() for _ in range(lines)]
        time.sleep(random.uniform(0.0, 0.005))  # between two commits as well as within one
        process.kill()
        printed = [*first, *process.stdout.read().splitlines(keepends=True)]
    return [int(line) for line in printed if line.endswith(b"\n")]


def test_every_acknowledged_record_survives_kills_exactly_once(tmp_path, root):
    acknowledged = []
    for _ in range(KILLS):
        acknowledged += acknowledged_until_killed(tmp_path, root, random.randint(30, 90))
    reader = JournalReader(tmp_path / "journal")
    rows = reader.read(0, 10**9)
    kept = [int(decode_batch(blob).chunks[0].records[0].split()[0]) for _, blob in rows]
    assert len(acknowledged) > KILLS
    assert set(acknowledged) <= set(kept)
    # The position commits with its record, so the next process neither repeats nor skips one.
    assert kept == list(range(len(kept)))
    assert [offset for offset, _ in rows] == list(range(1, len(kept) + 1))
    assert reader.counters() == {"s1": {"records": len(kept)}}
    assert len(list((tmp_path / "journal").glob("*.db"))) > 1, "rotation happened under fire"
    reader.close()


def test_outcomes_after_a_kill_are_whole_and_in_order(tmp_path, root):
    for _ in range(2):
        acknowledged_until_killed(tmp_path, root, random.randint(2, 60))
    reader = OutcomeReader(tmp_path / "outcomes")
    outcomes = reader.outcomes(0, 10**9)
    offsets = [one.offset for one in outcomes]
    assert offsets == sorted(set(offsets))
    assert all(one.blocks[0].constants["offset"] == one.offset for one in outcomes)
    assert reader.last() == offsets[-1]
    reader.close()
