"""archiver: outcome rows become sealed segments; the only writer of the manifest.

Comes in: whole outcomes. Goes out: Parquet segments, manifest entries and counts, committed together; by the clock,
signed checkpoints and the removal of what was kept for long enough; when asked for, small segments as larger ones.
The one thing to know: unsealed rows stay readable in the outcome log, so stopping never needs to seal.
"""

import time

from soc_center.compacting import Compacting
from soc_center.custody import Custody
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile
from soc_center.life import Life, say
from soc_center.settings import Settings
from soc_center.start import start
from soc_store.archive import Archive
from soc_store.outcome_log import OutcomeReader

POLL_S = 1.0
READ = 64


def steady_us() -> int:
    """Microseconds of a clock that never goes back: how long rows have waited, not what time it is."""
    return time.monotonic_ns() // 1000


def archiver(folder: DataFolder, settings: Settings) -> None:
    """Seal outcomes into the archive until SIGTERM or the end of the supervisor."""
    life = Life(folder.run, "archiver")
    gauge = GaugeFile(folder.run, "archiver")
    sealing = settings.archive
    archive = Archive.open(
        folder.archive, steady_us, seal_rows=sealing.seal_rows, seal_us=int(sealing.seal_s * 1_000_000)
    )
    custody = Custody(folder, sealing, archive)
    compacting = Compacting(folder, sealing, archive)
    reader = OutcomeReader(folder.outcomes)
    added = archive.sealed_through()
    sealed = 0
    say(f"archiver: from offset {added}")
    while not life.stopping:
        outcomes = reader.outcomes(added, READ)
        for outcome in outcomes:
            archive.add(outcome)
            added = outcome.offset
        sealed += archive.seal_due(steady_us(), sync=reader.sync)
        custody.tick()
        compacting.tick()
        own = {"sealed_through": archive.sealed_through(), "read_through": added, "segments": sealed}
        gauge.set(force=False, **own, **custody.values, **compacting.values)
        life.wait(POLL_S if len(outcomes) < READ else 0.0, compacting.reads())
    compacting.end()
    custody.end()
    archive.close()
    reader.close()


if __name__ == "__main__":
    start(archiver)
