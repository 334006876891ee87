"""triage: outcomes in order become alerts, one transaction a tick.

Comes in: heads of outcomes (findings; never raw events). Goes out: alerts, the cursor and the outbox, together.
The one thing to know: the cursor is the journal offset, so an outcome that is read again counts once; and outcomes are
on the disk before the cursor passes them, so none is made again, perhaps by other rules, behind it.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from detection_rules.triage import fold
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.life import Life, say
from soc_center.settings import Settings
from soc_center.start import start
from soc_center.wake import wake
from soc_model.alert import AlertDelta
from soc_store.lock import FolderLock
from soc_store.outcome_log import OutcomeReader
from soc_store.state import State

SHOWN_RULES = 200
TICK_S = 0.1
IDLE_S = 1.0
READ = 256


class FoundByRule:
    """How much each rule has found since the start, and what of it storms only counted."""

    def __init__(self) -> None:
        self._findings: Counter[str] = Counter()
        self._storms: Counter[str] = Counter()

    def add(self, deltas: Sequence[AlertDelta]) -> None:
        """Take what was added to alerts."""
        for delta in deltas:
            self._findings[delta.rule.id] += delta.count
            self._storms[delta.rule.id] += delta.storm_count

    def values(self) -> dict[str, Any]:
        """The gauge: the sums, and of the rules that found most each one's own."""
        most = self._findings.most_common(SHOWN_RULES)
        by_rule = {rule: {"findings": n, "storm_findings": self._storms[rule]} for rule, n in most}
        return {"findings": self._findings.total(), "storm_findings": self._storms.total(), "rules": by_rule}


def triage(folder: DataFolder, settings: Settings) -> None:
    """Fold outcomes into alerts until SIGTERM or the end of the supervisor."""
    life = Life(folder.run, "triage")
    gauge = GaugeFile(folder.run, "triage")
    lock = FolderLock.take(folder.run / "triage")
    state = State.open(folder.state_url, migrate=False)
    reader = OutcomeReader(folder.outcomes)
    cursor = state.cursor()
    found = FoundByRule()
    say(f"triage: from offset {cursor}")
    while not life.stopping:
        began = time.monotonic()
        heads = reader.heads(cursor, READ)
        if heads:
            deltas = fold(heads)
            reader.sync()
            state.commit_tick(deltas, heads[-1].offset, now_us(), after=cursor)
            cursor = heads[-1].offset
            found.add(deltas)
            if deltas:
                wake(folder.run, "serve")
        if gauge.due:
            gauge.set(cursor=cursor, **found.values())
        life.wait(0.0 if heads else IDLE_S)
        if 0 < len(heads) < READ:
            time.sleep(max(0.0, TICK_S - (time.monotonic() - began)))
    reader.close()
    state.close()
    lock.release()


if __name__ == "__main__":
    start(triage)
