"""triage: outcomes in order become alerts, one transaction a tick.

Comes in: heads of outcomes (findings; never raw events). Goes out: alerts, the cursor and the outbox, together.
The one thing to know: the cursor is the journal offset, so an outcome that is read again counts once.
"""

import time

from detection_rules.triage import fold
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.life import Life, say
from soc_center.settings import Settings
from soc_center.start import start
from soc_center.wake import wake
from soc_store.outcome_log import OutcomeReader
from soc_store.state import State

TICK_S = 0.1
IDLE_S = 1.0
READ = 256


def triage(folder: DataFolder, settings: Settings) -> None:
    """Fold outcomes into alerts until SIGTERM or the end of the supervisor."""
    life = Life(folder.run, "triage")
    gauge = GaugeFile(folder.run, "triage")
    state = State.open(folder.state_url, migrate=False)
    reader = OutcomeReader(folder.outcomes)
    cursor = state.cursor()
    findings = 0
    say(f"triage: from offset {cursor}")
    while not life.stopping:
        began = time.monotonic()
        heads = reader.heads(cursor, READ)
        if heads:
            cursor = heads[-1].offset
            deltas = fold(heads)
            state.commit_tick(deltas, cursor, now_us())
            findings += sum(delta.count for delta in deltas)
            if deltas:
                wake(folder.run, "serve")
        gauge.set(cursor=cursor, findings=findings)
        if len(heads) < READ:
            life.wait(IDLE_S if not heads else 0)
            time.sleep(max(0.0, TICK_S - (time.monotonic() - began)) if heads else 0)
    reader.close()
    state.close()


if __name__ == "__main__":
    start(triage)
