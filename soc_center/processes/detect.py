"""detect: hands journal batches to forked workers and writes their outcomes in offset order.

Comes in: journal rows as stored. Goes out: one outcome a batch. The one thing to know: the last outcome's offset is
the low-watermark, so after a crash the parent begins just behind it and nothing is decided twice or left out.
"""

import contextlib
import gc
import os
import signal
import time
from collections import OrderedDict, deque
from pathlib import Path
from typing import Any

from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, done_through, now_us
from soc_center.life import Life, say
from soc_center.processes.detect_worker import REPLY, REQUEST, work
from soc_center.settings import Settings
from soc_center.start import start
from soc_center.wake import wake
from soc_store.journal import JournalReader
from soc_store.outcome_log import EncodedOutcome, OutcomeLog

IN_FLIGHT = 4
POLL_S = 1.0
BATCH_TIMEOUT_S = 30.0
CRASHES = 2  # after so many, a batch's records are kept raw instead of parsed
OWN_RULES = Path(__file__).parents[2] / "detection_rules" / "rules"


def load_snapshot(settings: Settings) -> Snapshot:
    """Our own rules and those the settings name, compiled; refused ones are in ``refused``."""
    paths = [OWN_RULES, *(Path(path) for path in settings.detection.rules)]
    library = read_documents(paths)
    return compile_snapshot(
        load_rules(library.documents, refused=library.refused, min_level=settings.detection.min_level)
    )


class Worker:
    """One forked worker as its parent sees it: two non-blocking pipes and the batches it has not answered."""

    def __init__(self, snapshot: Snapshot) -> None:
        request_read, self.requests = os.pipe()
        self.replies, reply_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _only(request_read, reply_write)
            work(3, 4, snapshot)
        os.close(request_read)
        os.close(reply_write)
        os.set_blocking(self.requests, False)
        os.set_blocking(self.replies, False)
        self.in_flight: OrderedDict[int, tuple[bytes, bool]] = OrderedDict()
        self._waiting: float = 0.0
        self._unsent: deque[memoryview] = deque()
        self._received = bytearray()

    def send(self, offset: int, blob: bytes, *, careful: bool) -> None:
        """Queue a batch; ``flush`` moves it into the pipe."""
        if not self.in_flight:
            self._waiting = time.monotonic()
        self.in_flight[offset] = (blob, careful)
        self._unsent += (memoryview(REQUEST.pack(len(blob), offset, careful)), memoryview(blob))
        self.flush()

    @property
    def unsent(self) -> bool:
        """Whether requests wait for room in the pipe."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Write as much as the pipe takes."""
        try:
            while self._unsent:
                written = os.write(self.requests, self._unsent[0])
                rest = self._unsent[0][written:]
                if rest:
                    self._unsent[0] = rest
                else:
                    self._unsent.popleft()
        except (BlockingIOError, BrokenPipeError):
            pass  # full: later; broken: the end of its replies tells

    def receive(self) -> tuple[list[EncodedOutcome], bool]:
        """The outcomes that have arrived whole, and whether the worker still lives."""
        alive = True
        try:
            while data := os.read(self.replies, 1 << 20):
                self._received += data
            alive = False
        except BlockingIOError:
            pass
        return self._whole(), alive

    def _whole(self) -> list[EncodedOutcome]:
        found = []
        while len(self._received) >= REPLY.size:
            head, rows, offset, received = REPLY.unpack_from(self._received)
            end = REPLY.size + head + rows
            if len(self._received) < end:
                break
            body = bytes(memoryview(self._received)[REPLY.size : end])
            del self._received[:end]
            found.append(EncodedOutcome(offset=offset, received=received, head=body[:head], rows=body[head:]))
            self.in_flight.pop(offset, None)
            self._waiting = time.monotonic()
        return found

    def overdue(self) -> bool:
        """Whether the batch in hand has taken longer than any batch may."""
        return bool(self.in_flight) and time.monotonic() - self._waiting > BATCH_TIMEOUT_S

    def end(self) -> int:
        """Kill it if it still runs, close its pipes, and give its wait status."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.requests)
        os.close(self.replies)
        return os.waitpid(self.pid, 0)[1]


def _only(requests: int, replies: int) -> None:
    """In the child: keep the standard streams and the two pipes, as descriptors 3 and 4, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # it ends when its pipe does
    signal.set_wakeup_fd(-1)
    high = [os.dup2(fd, 1000 + i) for i, fd in enumerate((requests, replies))]
    os.closerange(3, 1000)
    for target, fd in enumerate(high, start=3):
        os.dup2(fd, target)
        os.close(fd)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


class Detection:
    """The parent's work: dispatch in offset order, gather, append in offset order."""

    def __init__(self, folder: DataFolder, snapshot: Snapshot, workers: int) -> None:
        self._folder = folder
        self._snapshot = snapshot
        self.workers = [Worker(snapshot) for _ in range(workers)]
        self._journal = JournalReader(folder.journal)
        self._log = OutcomeLog.open(folder.outcomes)
        self.dispatched = self._log.last()
        self.written = self.dispatched
        self._order: deque[int] = deque()
        self._ready: dict[int, EncodedOutcome] = {}
        self._crashes: dict[int, int] = {}
        self.restarts = 0
        self.quarantined = 0

    def step(self, life: Life) -> None:
        """Dispatch what fits, wait until something moves, gather and append."""
        self._dispatch()
        reads = [worker.replies for worker in self.workers]
        writes = [worker.requests for worker in self.workers if worker.unsent]
        life.wait(POLL_S, reads, writes)
        self._gather()
        self._append()

    def _dispatch(self) -> None:
        """Hand out new batches while workers have room and not too many outcomes wait for an earlier one."""
        free = sum(IN_FLIGHT - len(worker.in_flight) for worker in self.workers)
        free = min(free, 2 * IN_FLIGHT * len(self.workers) - len(self._order))
        for offset, blob in self._journal.read(self.dispatched, free) if free > 0 else ():
            self._order.append(offset)
            self.dispatched = offset
            self._least_busy().send(offset, blob, careful=False)

    def _least_busy(self) -> Worker:
        return min(self.workers, key=lambda worker: len(worker.in_flight))

    def _gather(self) -> None:
        for i, worker in enumerate(self.workers):
            worker.flush()
            outcomes, alive = worker.receive()
            for outcome in outcomes:
                self._ready[outcome.offset] = outcome
            if not alive or worker.overdue():
                self.workers[i] = self._replace(worker)

    def _replace(self, worker: Worker) -> Worker:
        """A new worker with the dead one's batches; the first of them is the one it died on."""
        status = worker.end()
        self.restarts += 1
        orphans = list(worker.in_flight.items())
        say(f"detect: worker {worker.pid} ended (status {status}) with {len(orphans)} batches in hand; replaced")
        fresh = Worker(self._snapshot)
        for i, (offset, (blob, was_careful)) in enumerate(orphans):
            careful = was_careful
            if i == 0:
                self._crashes[offset] = self._crashes.get(offset, 0) + 1
                if self._crashes[offset] >= CRASHES and not careful:
                    careful = True
                    self.quarantined += 1
                    say(f"detect: batch {offset} stopped {CRASHES} workers; its records are kept raw, unparsed")
            fresh.send(offset, blob, careful=careful)
        return fresh

    def _append(self) -> None:
        done = []
        while self._order and self._order[0] in self._ready:
            offset = self._order.popleft()
            done.append(self._ready.pop(offset))
            self._crashes.pop(offset, None)
        if done:
            self._log.append(done)
            self.written = done[-1].offset
            wake(self._folder.run, "triage")
            wake(self._folder.run, "archiver")

    def housekeep(self, now: int, done_through: int) -> None:
        """Rotate the outcome log and remove files that are sealed and triaged."""
        self._log.rotate_if_due(now)
        if done_through:
            self._log.drop_through(done_through)

    def values(self) -> dict[str, Any]:
        """The parent's gauge."""
        return {
            "written": self.written,
            "in_flight": len(self._order),
            "worker_pids": [worker.pid for worker in self.workers],
            "worker_restarts": self.restarts,
            "quarantined_batches": self.quarantined,
            "snapshot": self._snapshot.id,
            "rules": len(self._snapshot.cards),
            "rules_refused": len(self._snapshot.refused),
        }

    def close(self) -> None:
        """End the workers; what they had in hand is decided again at the next start."""
        for worker in self.workers:
            worker.end()
        self._log.close()
        self._journal.close()


def detect(folder: DataFolder, settings: Settings) -> None:
    """Decide journal batches until SIGTERM or the end of the supervisor."""
    began = time.monotonic()
    snapshot = load_snapshot(settings)
    snapshot.warm()
    say(
        f"detect: {len(snapshot.cards)} rules in {time.monotonic() - began:.1f} s, {len(snapshot.refused)} refused, "
        f"snapshot {snapshot.id[:12]}"
    )
    gc.collect()
    gc.freeze()  # what was loaded stays shared with the workers
    detection = Detection(folder, snapshot, settings.detection.workers)
    life = Life(folder.run, "detect")
    gauge = GaugeFile(folder.run, "detect")
    try:
        while not life.stopping:
            detection.step(life)
            detection.housekeep(now_us(), done_through(folder.run))
            gauge.set(**detection.values())
    finally:
        detection.close()


if __name__ == "__main__":
    start(detect)
