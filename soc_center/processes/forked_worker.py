"""A detect worker as its parent sees it: two non-blocking pipes, and the batches it has not answered.

The place outlives the process in it: after a fall the batches stay, and ``start`` forks a fresh worker that is sent
them again. Who is to blame for the fall, and how it is tried the next time, is decided by the caller.
"""

import contextlib
import fcntl
import os
import resource
import signal
import time
import traceback
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import msgspec

from detection_rules.indicators import NO_INDICATORS, Indicators
from detection_rules.snapshot import Snapshot
from soc_center.address import NOBODY, Address
from soc_center.limits import die_with_parent, limit_growth, lower
from soc_center.processes.detect_worker import (
    ADDRESS,
    BATCH_S,
    FAILED,
    FIRST_S,
    REPLY,
    REQUEST,
    Care,
    Counters,
    Kind,
    work,
)
from soc_model.reference import NO_REFERENCE, Reference, encode_zones
from soc_store.outcome_log import EncodedOutcome

GROWTH_BYTES = 1 << 30  # what a worker may map beyond what its parent had mapped
OPEN_FILES = 32  # a format that is asked for the first time is imported: a few files for a moment
STEADY_FALLS = 3  # after so many falls in a row a worker is started again once a second at most
BACK_OFF_S = 1.0


@dataclass(slots=True, kw_only=True)
class Task:
    """A batch in hand: how it is to be tried, and how often a worker fell on it."""

    offset: int
    blob: bytes
    care: Care = Care.AS_USUAL
    raw: list[Address] = field(default_factory=list)
    falls: int = 0
    raised: list[Address] = field(default_factory=list)


class Unreadable(NamedTuple):
    """The answer to a blob that is no batch."""

    offset: int
    why: str


Answer = EncodedOutcome | Unreadable
Caches = dict[str, dict[str, int]]


class Worker:
    """One place for a forked worker; ``tasks`` by offset, in the order in which they were sent."""

    def __init__(
        self, snapshot: Snapshot, reference: Reference = NO_REFERENCE, indicators: Indicators = NO_INDICATORS
    ) -> None:
        self._snapshot = snapshot
        self._reference = reference
        self.indicators = indicators  # by which the process now in this place decides, for as long as it lives
        self.tasks: OrderedDict[int, Task] = OrderedDict()
        self.falls = 0  # in a row, without any answer between
        self.caches: Caches = {}  # as it last told, since its start
        self.costs: dict[str, float] = {}  # seconds by rule, likewise
        self._started = -BACK_OFF_S
        self.start()

    def start(self) -> None:
        """Fork, and send what was not answered."""
        self._started = self._looked = time.monotonic()
        self._waited = 0.0
        self._limit_s = FIRST_S
        self._unsent: deque[memoryview] = deque()
        self._received = bytearray()
        self.named: Address | None = None
        request_read, self.requests = os.pipe()
        self.replies, reply_write = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _be_worker(request_read, reply_write, self._snapshot, self._reference, self.indicators, parent=parent)
        self.running = True
        os.close(request_read)
        os.close(reply_write)
        os.set_blocking(self.requests, False)
        os.set_blocking(self.replies, False)
        for task in self.tasks.values():
            self._queue(task)
        self._flush()

    @property
    def due_in_s(self) -> float:
        """How long a fallen worker has yet to wait before it is started again; 0 or less: no longer."""
        return self._started + BACK_OFF_S - time.monotonic() if self.falls > STEADY_FALLS else 0.0

    def send(self, task: Task) -> None:
        """Take a batch in hand."""
        self.tasks[task.offset] = task
        self._queue(task)
        self._flush()

    def refer(self, reference: Reference) -> None:
        """Have everything sent from now on decided under this reference; a worker started anew knows it already."""
        self._reference = reference
        if self.running:
            zones = encode_zones(reference)
            self._unsent.append(memoryview(REQUEST.pack(len(zones), 0, Care.REFERENCE, 0) + zones))
            self._flush()

    def renew(self, indicators: Indicators) -> None:
        """Fork a fresh process that decides by these indicators; only while there is no batch in hand."""
        if self.running:
            self.end()
        self.indicators = indicators
        self.start()

    def _queue(self, task: Task) -> None:
        head = REQUEST.pack(len(task.blob), task.offset, task.care, len(task.raw))
        addresses = b"".join(ADDRESS.pack(*address) for address in task.raw)
        self._unsent += (memoryview(head + addresses), memoryview(task.blob))

    @property
    def unsent(self) -> bool:
        """Whether requests wait for room in the pipe."""
        return bool(self._unsent)

    def _flush(self) -> bool:
        """Write as much as the pipe takes; whether it took anything."""
        moved = False
        try:
            while self._unsent:
                written = os.write(self.requests, self._unsent[0])
                moved = True
                rest = self._unsent[0][written:]
                if rest:
                    self._unsent[0] = rest
                else:
                    self._unsent.popleft()
        except (BlockingIOError, BrokenPipeError):
            pass  # full: later; broken: the end of its replies tells
        return moved

    def exchange(self) -> tuple[list[Answer], bool]:
        """Move what the pipes take and give: the answers that arrived whole, and whether the worker still lives.

        Any byte shows that it goes on. One look counts for little waiting, however long ago the last one was: it may
        have been the parent that was held up, and then the pipes were full or empty through no fault of the worker's.
        """
        now = time.monotonic()
        self._waited += min(now - self._looked, BATCH_S / 4)
        self._looked = now
        sent = self._flush()
        before = len(self._received)
        alive = self._drain()
        if len(self._received) > before:
            self._limit_s = BATCH_S
        if sent or len(self._received) > before:
            self._waited = 0.0
        answers = self._whole()
        if not self.tasks:
            self._waited = 0.0
        return answers, alive

    def _drain(self) -> bool:
        try:
            while data := os.read(self.replies, 1 << 20):
                self._received += data
        except BlockingIOError:
            return True
        return False

    def _whole(self) -> list[Answer]:
        found: list[Answer] = []
        while len(self._received) >= REPLY.size:
            kind, first, second, offset, received = REPLY.unpack_from(self._received)
            end = REPLY.size + (0 if kind in (Kind.NAMING, Kind.KEPT) else first + second)
            if len(self._received) < end:
                break
            body = bytes(memoryview(self._received)[REPLY.size : end])
            del self._received[:end]
            if kind == Kind.NAMING:
                address = Address(first, second)
                self.named = None if address == NOBODY else address
                continue
            if kind == Kind.COUNTERS:
                told = msgspec.json.decode(body, type=Counters)
                self.caches, self.costs = told.caches, told.costs
                continue
            if kind == Kind.KEPT:
                self.tasks[offset].raised.append(Address(first, second))
                continue
            if kind == Kind.OUTCOME:
                found.append(EncodedOutcome(offset=offset, received=received, head=body[:first], rows=body[first:]))
            else:
                found.append(Unreadable(offset, body.decode()))
            self.named, self.falls = None, 0
        return found

    @property
    def overdue(self) -> bool:
        """Whether the batch in hand has taken longer than any batch may."""
        return bool(self.tasks) and self._waited > self._limit_s

    def end(self) -> int:
        """Kill it if it still runs, close its pipes, and give its wait status."""
        self.running = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.requests)
        os.close(self.replies)
        return os.waitpid(self.pid, 0)[1]


def _be_worker(
    requests: int, replies: int, snapshot: Snapshot, reference: Reference, indicators: Indicators, *, parent: int
) -> NoReturn:
    """In the child: never returns, whatever goes wrong; the code after the fork is the parent's."""
    try:
        _only(requests, replies)
        _confine(parent)
        work(3, 4, snapshot, reference, indicators)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(FAILED)


def _only(requests: int, replies: int) -> None:
    """Keep the standard streams and the two pipes, as descriptors 3 and 4, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # it ends when its pipe or its parent does
    signal.set_wakeup_fd(-1)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 5) for fd in (requests, replies)]
    for target, fd in enumerate(high, start=3):
        os.dup2(fd, target)
    os.closerange(5, os.sysconf("SC_OPEN_MAX"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _confine(parent: int) -> None:
    die_with_parent()
    if os.getppid() != parent:
        os._exit(FAILED)  # it ended before it could be tied to us
    limit_growth(GROWTH_BYTES)
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_NOFILE, OPEN_FILES)
