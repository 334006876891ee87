"""detect: hands journal batches to forked workers and writes their outcomes in offset order.

Comes in: journal rows as stored. Goes out: one outcome a batch. The one thing to know: the last outcome's offset is
the low-watermark, so after a crash the parent begins just behind it and nothing is decided twice or left out.
"""

import argparse
import gc
import os
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from detection_rules.snapshot import Snapshot
from soc_center.address import Address
from soc_center.canary import lay, own_event
from soc_center.catalogue_file import CatalogueFile
from soc_center.dear_rules import CostWatch, DearRules, PutAside
from soc_center.folder import DataFolder
from soc_center.gauge import Gauge, GaugeFile, done_through, is_running, now_us, read_gauge
from soc_center.indicator_watch import IndicatorWatch
from soc_center.life import Life, leash_gone, leashed, say
from soc_center.processes.detect_worker import Care
from soc_center.processes.forked_worker import Answer, Caches, Task, Unreadable, Worker
from soc_center.quarantine import Entry, Kind, Quarantine, addresses
from soc_center.quarantine_alarm import CARD, put_aside_alarm
from soc_center.reload_report import Result, shown, tell
from soc_center.rules_loading import all_stays, load_center_rules
from soc_center.settings import Settings, read_settings
from soc_center.start import USAGE
from soc_center.turn import NextInLine
from soc_center.wake import wake
from soc_center.zones import ZoneWatch
from soc_model.chunk import Chunk
from soc_model.finding import RuleCard
from soc_model.outcome import Outcome
from soc_model.problem import Problem
from soc_store.journal import JournalReader
from soc_store.lock import Taken
from soc_store.outcome_log import EncodedOutcome, OutcomeLog, encode_outcome

IN_FLIGHT = 4
POLL_S = 1.0
#: Counters that go on from one detect process to the next.
COUNTED = ("worker_restarts", "careful_batches", "quarantined_batches", "quarantined_records")
FALLS = 2  # of a worker on one batch, after which its records are tried alone
RAW_RECORDS = 100  # of one batch; when one more stops its worker, the whole batch is kept raw
SHOWN_COSTS = 50
SHOWN_REFUSALS = 50  # on the Health page; all are in the log
TURN_S = 0.02  # between two tries of a successor to take over


class Detection:
    """The parent's work: dispatch in offset order, gather, append in offset order."""

    def __init__(self, folder: DataFolder, snapshot: Snapshot, workers: int) -> None:
        """``Problem`` when the outcome log is ahead of the journal, or another process writes it."""
        self._folder = folder
        self._snapshot = snapshot
        self._zones = ZoneWatch(folder)
        self._indicators = IndicatorWatch(folder)
        self._quarantine = Quarantine(folder.quarantine)
        self._journal = JournalReader(folder.journal)
        self._log = OutcomeLog.open(folder.outcomes)
        self.dispatched = self.written = self._log.last()
        self._order: deque[int] = deque()
        self._ready: dict[int, EncodedOutcome] = {}
        self.relieved = False  # a successor is ready: what is in hand is finished, and no more is taken
        self._costs = CostWatch(time.monotonic())
        self.counted = Counter(dict.fromkeys(COUNTED, 0))
        self.workers: list[Worker] = []
        try:
            self._check_journal()
            self.workers.extend(
                Worker(snapshot, self._zones.reference, self._indicators.indicators) for _ in range(workers)
            )
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

    @property
    def in_hand(self) -> bool:
        """Whether batches were dispatched whose outcomes are not written yet."""
        return bool(self._order)

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
        if self.relieved:
            return
        if self._zones.changed():
            for worker in self.workers:
                worker.refer(self._zones.reference)
        leaving = self._exchange_indicators()
        running = [worker for worker in self.workers if worker.running and worker is not leaving]
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

    def _exchange_indicators(self) -> Worker | None:
        """The one worker that gets no more batches because it decides by a set that is no longer the newest.

        Once it has nothing in hand a fresh process takes its place, and the next is at its turn: every batch is decided
        whole by one process, which knows one set.
        """
        self._indicators.look()
        newest = self._indicators.indicators
        for worker in self.workers:
            if worker.indicators is not newest:
                if worker.tasks:
                    return worker
                worker.renew(newest)
        return None

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
        if task.care is not Care.AS_USUAL:
            self._keep(task)
        self._ready[task.offset] = answer
        self.counted["quarantined_batches"] += task.care is Care.RAW
        self.counted["quarantined_records"] += len({*task.raw, *task.raised}) if task.care is Care.ALONE else 0

    def _keep(self, task: Task) -> None:
        """Keep what could not be decided, before its outcome is written."""
        records = addresses([*task.raw, *task.raised])
        if task.care is Care.RAW:
            entry = Entry(offset=task.offset, at=now_us(), kind=Kind.ALL_RECORDS, why="too many records stop a worker")
        elif records:
            why = "stopped the worker that decided it"
            entry = Entry(offset=task.offset, at=now_us(), kind=Kind.RECORDS, why=why, records=records)
        else:
            return
        self._quarantine.keep(entry, task.blob)

    def _fallen(self, worker: Worker) -> None:
        """The worker is gone; the first of its batches is the one it fell on, and is tried more carefully."""
        overdue = worker.overdue
        status = worker.end()
        self.counted["worker_restarts"] += 1
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
            self.counted["careful_batches"] += before is Care.AS_USUAL and task.care is not before

    def _put_aside(self, task: Task, why: str) -> None:
        """Keep a batch that cannot be decided in a file of its own, and let the others go on."""
        entry = Entry(offset=task.offset, at=now_us(), kind=Kind.BATCH, why=why)
        self._quarantine.keep(entry, task.blob)
        path = self._quarantine.blob_path(task.offset)
        self.counted["quarantined_batches"] += 1
        say(f"detect: batch {task.offset} cannot be decided and is put aside as {path}: {why}")
        now = now_us()
        alarm = Outcome(
            offset=task.offset,
            received=now,
            snapshot=self._snapshot.id,
            findings=[put_aside_alarm(task.offset, now, task.blob, why)],
            cards={CARD.id: CARD},
            stats=[],
            blocks=[],
        )
        self._ready[task.offset] = encode_outcome(alarm)

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

    def watch_costs(self, now_s: float) -> None:
        """Put aside rules that take too much of the workers' time, and tell of it; a successor runs without them."""
        dear = self._costs.see({worker.pid: worker.costs for worker in self.workers if worker.running}, now_s)
        known = DearRules(self._folder.dear_rules)
        cards = self._snapshot.cards
        put = [
            PutAside(rule_id=one, content_sha256=cards[one].content_sha256, share=self._costs.shares[one], at=now_us())
            for one in dear
        ]
        new = [one for one in put if one.content_sha256 not in known.all()] if put else []
        if new:
            known.put(new)
            lay(self._folder.inbox, [_told(one, cards[one.rule_id]) for one in new], now_us())
            wake(self._folder.run, "up")
        for one in new:
            say(f"detect: rule {one.rule_id} {one.reason}")

    def values(self) -> dict[str, Any]:
        """The parent's gauge."""
        return {
            **_rules(self._snapshot),
            "written": self.written,
            "in_flight": len(self._order),
            "worker_pids": [worker.pid for worker in self.workers if worker.running],
            **self.counted,
            "caches": _summed([worker.caches for worker in self.workers]),
            "workers": len(self.workers),
            "rule_shares": dict(sorted(self._costs.shares.items(), key=lambda item: -item[1])[:SHOWN_COSTS]),
            "reference": self._zones.reference.id,
            "reference_problem": self._zones.problem,
            "indicators": self._indicators.indicators.id,
            "indicators_problem": self._indicators.problem,
        }

    def count_on(self, before: Gauge | None) -> None:
        """Go on with the counters of the process before: what it cost is not forgotten with it."""
        if before is not None:
            self.counted.update({name: int(before.values.get(name, 0)) for name in self.counted})

    def close(self) -> None:
        """End the workers; what they had in hand is decided again at the next start."""
        for worker in self.workers:
            if worker.running:
                worker.end()
        self._log.close()
        self._journal.close()


def _told(one: PutAside, card: RuleCard) -> Chunk:
    """The center's own event that a rule was put aside."""
    about = {"event.code": one.rule_id, "rule.name": card.title, "rule.path": card.path, "reason": one.reason}
    return own_event("rule_put_aside", one.at, **about)


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


def detect(folder: DataFolder, settings: Settings, *, follow: bool = False) -> None:
    """Decide journal batches until SIGTERM, the end of the supervisor, or a successor that is ready.

    ``follow`` the process at work: load first, then begin where it stops; nothing where the rules would be the same.
    """
    began = time.monotonic()
    loaded = load_center_rules(folder, settings, follows=follow)
    snapshot, catalogue = loaded.snapshot, CatalogueFile(folder)
    catalogue.make(loaded)
    del loaded  # the catalogue is not needed to decide, and would be in the memory of every worker
    if follow and _is_running(folder, snapshot, settings):
        tell(folder.run, Result.UNCHANGED, **_rules(snapshot))
        catalogue.publish()
        say(f"detect: nothing to exchange, snapshot {snapshot.id[:12]} runs")
        return
    with all_stays():
        snapshot.warm()
    say(
        f"detect: {len(snapshot.cards)} rules in {time.monotonic() - began:.1f} s, {len(snapshot.refused)} refused, "
        f"snapshot {snapshot.id[:12]}"
    )
    for refusal in snapshot.refused:
        say(f"detect: refused {refusal}")
    gc.collect()
    gc.freeze()  # what was loaded stays shared with the workers
    line = NextInLine(folder.run)
    detection = _begin(folder, snapshot, settings, line if follow else None)
    if detection is not None:
        catalogue.publish()
        detection.count_on(read_gauge(folder.run, "detect"))
        _work(folder, detection, line)


def _is_running(folder: DataFolder, snapshot: Snapshot, settings: Settings) -> bool:
    """Whether the process at work has these very rules, and as many workers as the settings ask for."""
    gauge = read_gauge(folder.run, "detect")
    if gauge is None or not is_running(gauge.pid):
        return False
    own = {"snapshot": snapshot.id, "workers": settings.detection.workers}
    return own == {name: gauge.values.get(name) for name in own}


def _begin(folder: DataFolder, snapshot: Snapshot, settings: Settings, line: NextInLine | None) -> Detection | None:
    """Detection in place, in ``line`` behind the process at work; None when the supervisor is gone meanwhile."""
    if line is None:
        return Detection(folder, snapshot, settings.detection.workers)
    if leashed():
        os.set_blocking(0, False)
    while not (leashed() and leash_gone()):
        if line.take():
            wake(folder.run, "detect")
            return _follow(folder, snapshot, settings, line)
        time.sleep(TURN_S)
    return None


def _follow(folder: DataFolder, snapshot: Snapshot, settings: Settings, line: NextInLine) -> Detection | None:
    """Detection from the moment at which the process at work has let go, which it does since the place is taken."""
    while not (leashed() and leash_gone()):
        try:
            detection = Detection(folder, snapshot, settings.detection.workers)
        except Taken:
            time.sleep(TURN_S)
            continue
        line.leave()
        tell(folder.run, Result.EXCHANGED, **_rules(snapshot))
        say(f"detect: takes over behind batch {detection.written}")
        return detection
    return None


def _work(folder: DataFolder, detection: Detection, line: NextInLine) -> None:
    life = Life(folder.run, "detect")
    gauge = GaugeFile(folder.run, "detect")
    gauge.set(**detection.values())
    try:
        while not life.stopping:
            detection.relieved = line.taken()
            if detection.relieved and not detection.in_hand:
                say(f"detect: hands over behind batch {detection.written}")
                break
            detection.step(life)
            if gauge.due:  # both read or write gauges, which under load would be a good part of a step
                detection.housekeep(now_us(), done_through(folder.run))
                detection.watch_costs(time.monotonic())
                gauge.set(**detection.values())
    finally:
        gauge.set(force=True, **detection.values())
        detection.close()


def _rules(snapshot: Snapshot) -> dict[str, Any]:
    """What the gauge and the report say of the rules."""
    return {
        "snapshot": snapshot.id,
        "rules": len(snapshot.cards),
        "rules_refused": len(snapshot.refused),
        "refusals": shown(snapshot.refused, SHOWN_REFUSALS),
    }


def main() -> None:
    """``python -m soc_center.processes.detect --data DIR [--follow]``; a Problem is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="fengsui detect", description="Decide journal batches.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument("--follow", action="store_true", help="take over from the process at work once loaded")
    arguments = parser.parse_args()
    folder = DataFolder(arguments.data.resolve())
    os.umask(0o077)
    try:
        detect(folder.make(), read_settings(folder.settings), follow=arguments.follow)
    except Problem as problem:
        if arguments.follow:
            tell(folder.run, Result.FAILED, problem=str(problem))
        print(f"fengsui: {problem}", file=sys.stderr, flush=True)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
