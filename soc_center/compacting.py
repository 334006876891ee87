"""What the archiver does when a compaction is asked of it: one merge at a time in a child, while sealing goes on.

Comes in: requests. Goes out: merged segments in the manifest, and answers. Trouble with a merge is said and answered,
and the next one is begun; the archiver itself only starts children and swaps files for their entries.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from sqlite3 import Error as SqliteError
from typing import Any

import msgspec

from soc_center.compaction_request import CompactionAnswer, CompactionRequests
from soc_center.disk import free_bytes
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.life import say
from soc_center.merge_child import MERGE_S, MergeReply
from soc_center.settings import ArchiveSettings
from soc_model.event import DAY_US
from soc_store.archive import Archive
from soc_store.compaction import CompactionRule, Merge
from soc_store.compaction_merge import unfinished_file
from soc_store.compaction_writer import Compactor, Round
from soc_store.day import day_of

LOOK_S = 0.2
TELL_S = 5.0
GRACE_US = DAY_US // 24  # so long after its end a day may still be sealed
PROBLEMS = 20
NAME = "compact"
TASK = "merge.task"


def rule_of(settings: ArchiveSettings) -> CompactionRule:
    """What the settings say of compaction."""
    return CompactionRule(rows=settings.compact_rows)


def first_open_day(now: int) -> str:
    """The first day that may still be sealed."""
    return day_of(now - GRACE_US)


@dataclass(slots=True, kw_only=True)
class _Child:
    merge: Merge
    process: "subprocess.Popen[bytes]"
    until: float


class Compacting:
    """Answers requests; ``values`` is what the archiver's gauge shows of it."""

    def __init__(self, folder: DataFolder, settings: ArchiveSettings, archive: Archive) -> None:
        self._folder, self._settings = folder, settings
        self._compactor: Compactor = archive.compactor
        self._requests = CompactionRequests(folder.run)
        self._task = folder.run / TASK
        self._round: Round | None = None
        self._answer = CompactionAnswer(id="", at=0)
        self._child: _Child | None = None
        self._next_look = 0.0
        self._next_tell = 0.0
        self.values: dict[str, Any] = {}

    def tick(self) -> None:
        """Do what is due, all of it short. A full disk ends a round, never the archiver."""
        try:
            self._compactor.clear()
            self._do_due()
        except (OSError, SqliteError) as error:
            say(f"archiver: compaction given up: {error}")
            self._requests.withdraw(self._answer.id)
            self._give_up()

    def _do_due(self) -> None:
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_S
            self._look()
        if self._child is not None and self._has_ended(self._child):
            self._take(self._child)
        if self._round is not None and self._child is None:
            self._begin_next(self._round)

    def reads(self) -> list[int]:
        """The descriptors that become ready when there is something to do."""
        return [self._child.process.stdout.fileno()] if self._child and self._child.process.stdout else []

    def end(self) -> None:
        """Give up what is being merged; nothing sealed has changed by it."""
        self._give_up()
        self._task.unlink(missing_ok=True)

    def _look(self) -> None:
        """Begin what is asked for, give up what is no longer."""
        if self._round is None:
            if request := self._requests.first(now_us()):
                self._round = Round(self._compactor, rule_of(self._settings), first_open_day(now_us()))
                self._answer = _begun(request.id, self._round)
        elif not self._requests.is_wanted(self._answer.id, now_us()):
            self._give_up()
        elif time.monotonic() >= self._next_tell:
            self._tell(complete=False)

    def _begin_next(self, walk: Round) -> None:
        while merge := walk.next():
            needed = sum(one.bytes for one in merge.segments) + self._settings.min_free_bytes
            if free_bytes(self._folder.archive) >= needed:
                self._start(merge)
                self._tell(complete=False)
                return
            self._note(f"{merge.kind}/{merge.day}/{merge.layer}: not enough room on the disk to merge")
        self._tell(complete=True)
        if self._answer.merges:
            say(f"archiver: {self._answer.replaced} segments became {self._answer.merges}")
        self._give_up()

    def _start(self, merge: Merge) -> None:
        self._task.write_bytes(msgspec.json.encode(merge))
        command = [sys.executable, "-m", "soc_center.merge_child", str(self._folder.archive), str(self._task), NAME]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # noqa: S603 - our own
        self._child = _Child(merge=merge, process=process, until=time.monotonic() + MERGE_S)
        self.values["worker_pids"] = [process.pid]

    def _has_ended(self, child: _Child) -> bool:
        """Whether the child is gone; it is killed when it takes too long."""
        if child.process.poll() is None and time.monotonic() > child.until:
            child.process.kill()
            child.process.wait()
        return child.process.poll() is not None

    def _take(self, child: _Child) -> None:
        """Take over what an ended child has made."""
        self._forget_child()
        done = _reply(child)
        if done.merged is None:
            self._compactor.discard(child.merge, unfinished_file(child.merge, NAME))
            self._note(done.problem)
        elif self._compactor.replace(child.merge, done.merged, now_us()):
            replaced = self._answer.replaced + len(child.merge.segments)
            self._answer = msgspec.structs.replace(self._answer, merges=self._answer.merges + 1, replaced=replaced)
            self.values["compacted"] = self.values.get("compacted", 0) + len(child.merge.segments)

    def _note(self, problem: str) -> None:
        say(f"archiver: {problem}")
        if len(self._answer.problems) < PROBLEMS:
            self._answer = msgspec.structs.replace(self._answer, problems=[*self._answer.problems, problem])

    def _tell(self, *, complete: bool) -> None:
        """Answer with how far it is."""
        self._next_tell = time.monotonic() + TELL_S
        segments, size = self._compactor.size()
        done = self._round.done if self._round is not None else 0
        named = {"at": now_us(), "complete": complete, "done": done, "segments_after": segments, "bytes_after": size}
        self._answer = msgspec.structs.replace(self._answer, **named)
        self._requests.put_answer(self._answer)

    def _give_up(self) -> None:
        self._round = None
        if self._child is not None:
            child = self._child
            child.process.kill()
            child.process.wait()
            _reply(child)  # closes its pipe
            self._forget_child()
            self._compactor.discard(child.merge, unfinished_file(child.merge, NAME))

    def _forget_child(self) -> None:
        self._child = None
        self.values.pop("worker_pids", None)


def _begun(of: str, walk: Round) -> CompactionAnswer:
    segments, size = walk.before
    return CompactionAnswer(id=of, at=0, segments_before=segments, bytes_before=size, total=walk.total)


def _reply(child: _Child) -> MergeReply:
    """What the child said at its end."""
    said = b""
    if child.process.stdout is not None:
        said = child.process.stdout.read()
        child.process.stdout.close()
    try:
        return msgspec.json.decode(said, type=MergeReply)
    except msgspec.MsgspecError:
        return MergeReply(problem=f"a merge ended without a word ({child.process.returncode})")
