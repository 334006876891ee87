"""triage: outcomes in order become alerts, one transaction a tick.

Comes in: heads of outcomes (findings and partials; never raw events). Goes out: alerts, episodes and windows of
correlations, the cursor and the outbox, together.
The one thing to know: the cursor is the journal offset, so an outcome that is read again counts once; and outcomes are
on the disk before the cursor passes them, so none is made again, perhaps by other rules, behind it.
"""

import time
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from detection_rules.correlator import Changes
from detection_rules.triage import fold
from soc_center.correlating import Correlating
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.life import Life, say
from soc_center.settings import Settings
from soc_center.start import start
from soc_center.wake import wake
from soc_model.alert import AlertDelta
from soc_model.outcome import Outcome
from soc_store.correlation_store import CorrelationStep
from soc_store.journal import JournalReader
from soc_store.lock import FolderLock
from soc_store.outcome_log import OutcomeReader
from soc_store.state import State

SHOWN_RULES = 200
TICK_S = 0.1
IDLE_S = 1.0
READ = 256
SPAN_US = 1_000_000


class FoundByRule:
    """How much each rule has found since the start, and what of it storms only counted."""

    def __init__(self) -> None:
        self._findings: Counter[str] = Counter()
        self._storms: Counter[str] = Counter()

    def add(self, deltas: Sequence[AlertDelta], began: Sequence[str] = ()) -> None:
        """Take what single findings added to alerts, and the rules whose correlations began an episode."""
        for delta in deltas:
            self._findings[delta.rule.id] += delta.count
            self._storms[delta.rule.id] += delta.storm_count
        self._findings.update(began)

    def values(self) -> dict[str, Any]:
        """The gauge: the sums, and of the rules that found most each one's own."""
        most = self._findings.most_common(SHOWN_RULES)
        by_rule = {rule: {"findings": n, "storm_findings": self._storms[rule]} for rule, n in most}
        return {"findings": self._findings.total(), "storm_findings": self._storms.total(), "rules": by_rule}


class Ticks:
    """One tick after the other: what outcomes come to, committed with the cursor."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.cursor = state.cursor()
        self.correlating = Correlating.open(state)
        self.found = FoundByRule()

    def take(self, heads: Sequence[Outcome]) -> bool:
        """Commit what the outcomes above the cursor come to; whether alerts changed."""
        folded = fold(heads)
        changes, step = self.correlating.take(heads)
        return self._commit(folded, changes, step, heads[-1].offset)

    def pass_time(self, now: int) -> bool:
        """Commit what waited only for time to go by; whether alerts changed."""
        changes, step = self.correlating.pass_time(now)
        return self._commit([], changes, step, self.cursor)

    def _commit(self, folded: list[AlertDelta], changes: Changes, step: CorrelationStep, cursor: int) -> bool:
        deltas = [*folded, *changes.deltas]
        self._state.commit_tick(deltas, cursor, now_us(), after=self.cursor, step=step)
        self.cursor = cursor
        self.found.add(folded, changes.began)
        return bool(deltas)


def together(heads: list[Outcome]) -> list[Outcome]:
    """The first of them that were received within a second: a tick has one clock, by which events are late."""
    return list(takewhile(lambda one: one.received <= heads[0].received + SPAN_US, heads))


def triage(folder: DataFolder, settings: Settings) -> None:
    """Fold outcomes into alerts until SIGTERM or the end of the supervisor."""
    life = Life(folder.run, "triage")
    gauge = GaugeFile(folder.run, "triage")
    lock = FolderLock.take(folder.run / "triage")
    state = State.open(folder.state_url, migrate=False)
    reader = OutcomeReader(folder.outcomes)
    journal = JournalReader(folder.journal)
    ticks = Ticks(state)
    say(f"triage: from offset {ticks.cursor}")
    waiting: list[Outcome] = []
    while not life.stopping:
        began = time.monotonic()
        waiting = waiting or reader.heads(ticks.cursor, READ)
        heads = together(waiting)
        waiting, full = waiting[len(heads) :], len(waiting) == READ
        alerted = False
        if heads:
            reader.sync()
            alerted = ticks.take(heads)
        elif ticks.correlating.is_due(now := now_us()) and journal.last() == ticks.cursor:
            # Only when nothing waits to be decided does the clock say that what has not come is late.
            alerted = ticks.pass_time(now)
        if alerted:
            wake(folder.run, "serve")
        if gauge.due:
            gauge.set(cursor=ticks.cursor, **ticks.found.values(), **ticks.correlating.values())
        life.wait(0.0 if heads else IDLE_S)
        if heads and not waiting and not full:
            time.sleep(max(0.0, TICK_S - (time.monotonic() - began)))
    reader.close()
    journal.close()
    state.close()
    lock.release()


if __name__ == "__main__":
    start(triage)
