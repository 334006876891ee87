"""How long a committed batch waits for its outcome: ``python -m bench.lag DATA OUT``, a process of its own.

Looks 100 times a second how far the journal and the outcome log have come, until SIGTERM; writes the lags of all
offsets that it saw come. A lag is exact to one look: a batch counts from the look that saw it first.
"""

import signal
import sys
import time
from collections import deque
from pathlib import Path

import msgspec

from bench.result import quantiles
from soc_store.journal import JournalReader
from soc_store.outcome_log import OutcomeReader

LOOK_S = 0.01


class Lags:
    """The offsets that wait, and the lags of those that no longer do."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._waiting: deque[tuple[int, float]] = deque()  # last offset of a look, when
        self.found: list[float] = []

    def look(self, committed: int, decided: int, now: float) -> None:
        """One look at both logs."""
        if committed > self._last:
            self._waiting += [(offset, now) for offset in range(self._last + 1, committed + 1)]
            self._last = committed
        while self._waiting and self._waiting[0][0] <= decided:
            self.found.append(now - self._waiting.popleft()[1])


def main() -> None:
    """Look until SIGTERM."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
    journal, outcomes = JournalReader(data / "journal"), OutcomeReader(data / "outcomes")
    lags = Lags(journal.last())
    looks = 0
    while not stop:
        # The outcome log first: what is decided between the two reads counts at the next look.
        decided = outcomes.last()
        lags.look(journal.last(), decided, time.monotonic())
        looks += 1
        time.sleep(LOOK_S)
    found = {"looks": looks, "cpu_s": round(time.process_time(), 2), "batches_s": quantiles(lags.found)}
    out.write_bytes(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
