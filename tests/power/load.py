"""A center under load with all its changes recorded: what it did to its files, and who was told what when.

In: a folder. Out: a ``Run``, whose disk can be made as it was, or may have been, at any moment of it.
"""

import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.power.disk import Disk, Tree, read_inodes, read_tree
from tests.power.recording import Operations, Recording
from tests.running import KEY, Center, wait_for
from tests.services.test_kills import FileSender, drained, everyone, record, source

LOAD_S = 12.0
SITE = Path(__file__).with_name("site")
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Request:
    """What was sent in one request, and how far the recording was when its acknowledgement came."""

    sender: str
    numbers: range
    mark: int = sys.maxsize

    @property
    def lines(self) -> list[bytes]:
        return [record(self.sender, number) for number in self.numbers]

    @property
    def uids(self) -> list[str]:
        return [f"{self.sender}-{number}" for number in self.numbers]


@dataclass(slots=True)
class Run:
    """A recorded run: where the center was, what was there before and done since, and who sent what."""

    center: Center
    root: Path
    before: Tree
    inodes: dict[str, int]
    after: Tree
    operations: Operations
    requests: list[Request]
    lines: list[str]  # of the followed file

    @property
    def sent(self) -> list[str]:
        """The unique ids of everything."""
        return [uid for request in self.requests for uid in request.uids] + self.lines

    def acknowledged(self, cut: int) -> set[str]:
        """The unique ids of the requests that were acknowledged before the cut."""
        return {uid for request in self.requests if not self.is_unheard(request, cut) for uid in request.uids}

    def is_unheard(self, request: Request, cut: int) -> bool:
        """Whether the acknowledgement came after the cut, so that the sender sends again."""
        return self.operations.before(request.mark) > cut

    def disk(self) -> Disk:
        """The disk before the run."""
        return Disk(str(self.root), self.inodes[""], self.before, self.inodes)


class Sender(threading.Thread):
    """Sends requests of 20 records, each again until it is acknowledged."""

    def __init__(self, center: Center, recording: Recording, name: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.center, self.recording, self.sender, self.stopped = center, recording, name, stop
        self.requests: list[Request] = []

    def run(self) -> None:
        while not self.stopped.is_set():
            begin = 20 * len(self.requests)
            request = Request(self.sender, range(begin, begin + 20))
            self.requests.append(request)
            while self.center.send("http", request.lines) != 200:
                time.sleep(0.1)
            request.mark = self.recording.mark()
            time.sleep(0.05)


def make_center(folder: Path) -> Center:
    """A center whose own files, and nothing else, are below ``folder``/root."""
    followed = folder / "followed.log"
    followed.touch()
    center = Center(
        folder / "root",
        [
            source("http", "http", key_sha256=hashlib.sha256(KEY.encode()).hexdigest(), trust="key"),
            source("file", "file", settings={"paths": [str(followed)], "follow": True, "from": "start"}),
        ],
        archive={"seal_rows": 1000, "seal_s": 2},
    )
    center.output = folder / "up.log"  # below the root it would be made by us, and not be recorded
    return center


def environment(base: dict[str, str]) -> dict[str, str]:
    """``base`` with our own start of Python."""
    return {**base, "PYTHONPATH": os.pathsep.join((str(SITE), str(ROOT)))}


def record_run(center: Center, folder: Path) -> Run:
    """A run from the first start to a clean stop, under load, with signed checkpoints."""
    root = (folder / "root").resolve()
    recording = Recording(folder, root)
    before, inodes = read_tree(root), {"": root.stat().st_ino, **read_inodes(root)}
    center.environment = environment(recording.environment())
    center.start()
    wait_for(lambda: everyone(center), 120, "everything running")
    stop = threading.Event()
    senders = [Sender(center, recording, name, stop) for name in ("a", "b")]
    file = FileSender(folder / "followed.log", stop)
    for one in (*senders, file):
        one.start()
    time.sleep(LOAD_S / 2)
    checkpoint(center)
    time.sleep(LOAD_S / 2)
    stop.set()
    for one in (*senders, file):
        one.join(60)
    wait_for(lambda: drained(center), 90, "everything sealed and triaged")
    center.stop()
    requests = [request for sender in senders for request in sender.requests]
    return Run(center, root, before, inodes, read_tree(root), recording.operations(), requests, file.acknowledged)


def checkpoint(center: Center) -> None:
    command = [sys.executable, "-m", "soc_center", "archive", "checkpoint", "--data", str(center.data)]
    subprocess.run(command, env=center.environment, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
