"""detect: hands journal batches to forked workers and writes their outcomes in offset order.

Comes in: journal rows as stored. Goes out: one outcome a batch. The one thing to know: the last outcome's offset is
the low-watermark, so after a crash the parent begins just behind it and nothing is decided twice or left out.
"""

import gc
import time
from collections import deque
from pathlib import Path
from typing import Any

from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.careful import Address
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, done_through, now_us
from soc_center.life import Life, say
from soc_center.processes.detect_worker import Care
from soc_center.processes.forked_worker import Answer, Caches, Task, Unreadable, Worker
from soc_center.settings import Settings
from soc_center.start import start
from soc_center.wake import wake
from soc_model.outcome import Outcome
from soc_model.problem import Problem
from soc_store.durable import publish
from soc_store.journal import JournalReader
from soc_store.outcome_log import EncodedOutcome, OutcomeLog, encode_outcome

IN_FLIGHT = 4
POLL_S = 1.0
FALLS = 2  # of a worker on one batch, after which its records are tried alone
RAW_RECORDS = 100  # of one batch; when one more stops its worker, the whole batch is kept raw
SHOWN_REFUSALS = 50  # on the Health page; all are in the log
OWN_RULES = Path(__file__).parents[2] / "detection_rules" / "rules"


def load_snapshot(settings: Settings) -> Snapshot:
    """Our own rules and those the settings name, compiled; refused ones are in ``refused``."""
    paths = [OWN_RULES, *(Path(path) for path in settings.detection.rules)]
    library = read_documents(paths)
    return compile_snapshot(
        load_rules(library.documents, refused=library.refused, min_level=settings.detection.min_level)
    )


class Detection:
    """The parent's work: dispatch in offset order, gather, append in offset order."""

    def __init__(self, folder: DataFolder, snapshot: Snapshot, workers: int) -> None:
        """``Problem`` when the outcome log is ahead of the journal, or another process writes it."""
        self._folder = folder
        self._snapshot = snapshot
        self._journal = JournalReader(folder.journal)
        self._log = OutcomeLog.open(folder.outcomes)
        self.dispatched = self.written = self._log.last()
        self._order: deque[int] = deque()
        self._ready: dict[int, EncodedOutcome] = {}
        self.restarts = 0
        self.quarantined_batches = 0
        self.quarantined_records = 0
        self.careful_batches = 0
        self.workers: list[Worker] = []
        try:
            self._check_journal()
            self.workers.extend(Worker(snapshot) for _ in range(workers))
        except BaseException:
            self.close()
            raise

    def _check_journal(self) -> None:
        """Raise ``Problem`` when the journal ends before what was read of it: its offsets would come a second time."""
        last = self._journal.last()
        if last < self.dispatched:
            raise Problem(
                str(self._folder.journal),
                f"ends at batch {last}, but batch {self.dispatched} was decided already: the journal was moved away or "
                "is an older copy. Put the right one back, or begin with a new data directory",
            )

    def step(self, life: Life) -> None:
        """Dispatch what fits, wait until something moves, gather and append."""
        self._dispatch()
        running = [worker for worker in self.workers if worker.running]
        due = [worker.due_in_s for worker in self.workers if not worker.running]
        reads = [worker.replies for worker in running]
        writes = [worker.requests for worker in running if worker.unsent]
        life.wait(max(0.0, min([POLL_S, *due])), reads, writes)
        self._gather()
        self._append()

    def _dispatch(self) -> None:
        """Hand out new batches while workers have room and not too many outcomes wait for an earlier one."""
        running = [worker for worker in self.workers if worker.running]
        free = sum(IN_FLIGHT - len(worker.tasks) for worker in running)
        free = min(free, 2 * IN_FLIGHT * len(self.workers) - len(self._order))
        if free <= 0:
            return
        batches = self._journal.read(self.dispatched, free)
        if not batches:
            self._check_journal()
        for offset, blob in batches:
            self._order.append(offset)
            self.dispatched = offset
            min(running, key=lambda worker: len(worker.tasks)).send(Task(offset=offset, blob=blob))

    def _gather(self) -> None:
        for worker in self.workers:
            if worker.running:
                answers, alive = worker.exchange()
                for answer in answers:
                    self._take(worker.tasks.pop(answer.offset), answer)
                if not alive or worker.overdue:
                    self._fallen(worker)
            if not worker.running and worker.due_in_s <= 0:
                worker.start()

    def _take(self, task: Task, answer: Answer) -> None:
        if isinstance(answer, Unreadable):
            self._put_aside(task, answer.why)
            return
        self._ready[task.offset] = answer
        self.quarantined_batches += task.care is Care.RAW
        self.quarantined_records += len(task.raw) if task.care is Care.ALONE else 0

    def _fallen(self, worker: Worker) -> None:
        """The worker is gone; the first of its batches is the one it fell on, and is tried more carefully."""
        overdue = worker.overdue
        status = worker.end()
        self.restarts += 1
        worker.falls += 1
        how = "took too long" if overdue else f"ended (status {status})"
        say(f"detect: worker {worker.pid} {how} with {len(worker.tasks)} batches in hand; starting another")
        task = next(iter(worker.tasks.values()), None)
        if task is None:
            return
        if task.care is Care.RAW:
            self._put_aside(worker.tasks.pop(task.offset), "it stopped its worker even unparsed")
        else:
            before = task.care
            say(f"detect: batch {task.offset}: {_more_careful(task, worker.named)}")
            self.careful_batches += before is Care.AS_USUAL and task.care is not before

    def _put_aside(self, task: Task, why: str) -> None:
        """Keep a batch that cannot be decided in a file of its own, and let the others go on."""
        path = self._folder.quarantine / f"{task.offset}.blob"
        made = path.with_suffix(".new")
        made.write_bytes(task.blob)
        publish(made, path)
        self.quarantined_batches += 1
        say(f"detect: batch {task.offset} cannot be decided and is put aside as {path}: {why}")
        nothing = Outcome(
            offset=task.offset,
            received=now_us(),
            snapshot=self._snapshot.id,
            findings=[],
            cards={},
            stats=[],
            blocks=[],
        )
        self._ready[task.offset] = encode_outcome(nothing)

    def _append(self) -> None:
        done = []
        while self._order and self._order[0] in self._ready:
            done.append(self._ready.pop(self._order.popleft()))
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
            "worker_pids": [worker.pid for worker in self.workers if worker.running],
            "worker_restarts": self.restarts,
            "quarantined_batches": self.quarantined_batches,
            "quarantined_records": self.quarantined_records,
            "careful_batches": self.careful_batches,
            "caches": _summed([worker.caches for worker in self.workers]),
            "snapshot": self._snapshot.id,
            "rules": len(self._snapshot.cards),
            "rules_refused": len(self._snapshot.refused),
            "refusals": [str(refusal) for refusal in self._snapshot.refused[:SHOWN_REFUSALS]],
        }

    def close(self) -> None:
        """End the workers; what they had in hand is decided again at the next start."""
        for worker in self.workers:
            if worker.running:
                worker.end()
        self._log.close()
        self._journal.close()


def _summed(told: list[Caches]) -> Caches:
    """The caches of all workers as one."""
    sums: Caches = {}
    for caches in told:
        for name, counts in caches.items():
            known = sums.setdefault(name, {})
            known |= {kind: known.get(kind, 0) + n for kind, n in counts.items()}
    return sums


def _more_careful(task: Task, named: Address | None) -> str:
    """Choose how the batch is tried the next time; what that is, in words."""
    task.falls += 1
    if task.care is Care.AS_USUAL and task.falls < FALLS:
        return "tried again"
    if task.care is Care.AS_USUAL:
        task.care = Care.ALONE
        return "tried again with each record alone"
    if named is not None and len(task.raw) < RAW_RECORDS:
        task.raw.append(named)
        return f"record {named.record} of chunk {named.chunk} stopped its worker and is kept raw, unparsed"
    task.care = Care.RAW
    return "all its records are kept raw, unparsed"


def detect(folder: DataFolder, settings: Settings) -> None:
    """Decide journal batches until SIGTERM or the end of the supervisor."""
    began = time.monotonic()
    snapshot = load_snapshot(settings)
    snapshot.warm()
    say(
        f"detect: {len(snapshot.cards)} rules in {time.monotonic() - began:.1f} s, {len(snapshot.refused)} refused, "
        f"snapshot {snapshot.id[:12]}"
    )
    for refusal in snapshot.refused:
        say(f"detect: refused {refusal}")
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
