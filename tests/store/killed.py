"""A process to be killed: commits to a journal and an outcome log for ever, printing what is acknowledged."""

import sys
import time
from itertools import count
from pathlib import Path

from soc_store.journal import Journal
from soc_store.outcome_log import OutcomeLog, encode_outcome
from tests.store.making import NOON, block, chunk, outcome, source


def main(folder: Path) -> None:
    """Begin after the last id that the journal holds a position for."""
    journal = Journal.open(folder / "journal", {"s1": source()}, now=lambda: time.time_ns() // 1000)
    log = OutcomeLog.open(folder / "outcomes")
    begin = journal.positions("s1").get("f1", {"next": 0})["next"]
    for n in count(begin):
        journal.rotate_if_due(file_bytes=60_000)
        sent = chunk(b"%d " % n + b"x" * 3000, position={"next": n + 1})
        (offset,) = journal.commit([sent], [b"%d" % n], {("s1", "records"): 1})
        print(n, flush=True)
        if offset > log.last():
            log.append([encode_outcome(outcome(offset, block(offset, [f"{n}"])))])
        log.rotate_if_due(NOON, file_bytes=30_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
