"""Our engine as the bench measures it: a process that has loaded the rules once and forks for every run.

Exec'ed as ``python -m bench.engine_ours RULES --kept FOLDER``; orders come in on standard input and replies go out
on standard output, one JSON value a line. The one thing to know: each run is a process of its own with empty caches,
like a worker of detect, so its CPU is what the kernel says of it, and nothing of an earlier run makes it faster.
"""

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from bench.engine_lane import FORMATS, Part
from bench.engine_load import ready_snapshot
from bench.proc import memory_mb
from collectors.cutting import Cutter
from collectors.format import Format, load_format
from detection_rules.snapshot import Snapshot
from soc_model.layer import Level

BLOCK_BYTES = 256 * 1024


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Files to read; ``share`` (n, of) takes every nth block only; hits by rule are ``counted`` for the reply."""

    parts: tuple[Part, ...]
    share: tuple[int, int] = (0, 1)
    counted: bool = False
    out: str = os.devnull


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. ``cpu_s`` is the kernel's figure for the process; ``stages`` are measured inside it."""

    events: int
    hits: int
    stages: dict[str, float]
    caches: dict[str, int]
    memory: dict[str, float]
    by_rule: dict[str, int]
    cpu_s: float = 0.0


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: how long start, load and warming took, and what that is in memory."""

    rules: int
    refused: int
    load_cpu_s: float
    memory: dict[str, float]


class Run:
    """One run over the files of a lane."""

    def __init__(self, snapshot: Snapshot, order: Order) -> None:
        self._snapshot, self._order = snapshot, order
        self._stages = {"cut": 0.0, "parse": 0.0, "match": 0.0, "hits": 0.0}
        self._at = time.process_time()
        self._heads = [_head(rule.card.id, rule.card.title, rule.card.level) for rule in snapshot.rules]
        self._by_rule: Counter[int] = Counter()
        self.events = self.hits = 0

    def reply(self) -> Reply:
        """Do all of it."""
        with Path(self._order.out).open("wb") as out:
            for part in self._order.parts:
                self._file(part, out)
        counters = self._snapshot.engine.counters()
        names = {number: rule.card.id for number, rule in enumerate(self._snapshot.rules)}
        return Reply(
            events=self.events,
            hits=self.hits,
            stages={name: round(spent, 4) for name, spent in self._stages.items()},
            caches={name: getattr(counters, name) for name in counters.__slots__},
            memory=memory_mb(os.getpid()),
            by_rule={names[number]: count for number, count in self._by_rule.items()},
        )

    def _file(self, part: Part, out: BinaryIO) -> None:
        form = load_format(part.format, (FORMATS,))
        context = context_of(part)
        number, of = self._order.share
        self._lap("cut")
        for index, records in enumerate(_records(Path(part.path), form)):
            self._lap("cut")
            if index % of == number:
                groups = form.parse(records, context, self._snapshot.wanted)
                self._lap("parse")
                for group in groups:
                    found = self._snapshot.engine.match(group)
                    self._lap("match")
                    self.events += len(found)
                    self._tell(group.records, found, out)
                    self._lap("hits")

    def _tell(self, records: Any, found: list[tuple[int, ...]], out: BinaryIO) -> None:
        """Write a line for each hit."""
        if not any(found):
            return
        lines = []
        for record, rules in zip(records, found, strict=True):
            for rule in rules:
                lines.append(b"%s%d}\n" % (self._heads[rule], record))
                if self._order.counted:
                    self._by_rule[rule] += 1
        self.hits += len(lines)
        out.write(b"".join(lines))

    def _lap(self, stage: str) -> None:
        now = time.process_time()
        self._stages[stage] += now - self._at
        self._at = now


def context_of(part: Part) -> dict[str, Any]:
    """As a source with this logsource has it."""
    context: dict[str, Any] = {"received": 1_790_000_000_000_000}
    if part.logsource is not None:
        context["logsource"] = msgspec.to_builtins(part.logsource)
    return context


def _records(path: Path, form: Format) -> Iterator[list[bytes]]:
    """The whole records of a file, as many at once as a batch of the journal holds."""
    cutter = Cutter(form, {})
    with path.open("rb") as file:
        while data := file.read(BLOCK_BYTES):
            yield from (piece.records for piece in cutter.feed(data))
    yield from (piece.records for piece in cutter.feed(b"", final=True))


def _head(rule_id: str, title: str, level: Level) -> bytes:
    """A hit's line up to the number of its record."""
    return msgspec.json.encode({"rule_id": rule_id, "rule_title": title, "level": level})[:-1] + b',"record":'


def forked(snapshot: Snapshot, order: Order) -> Reply:
    """The reply of a child that does the order, with the CPU that it took."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(read)
            with os.fdopen(write, "wb") as pipe:
                pipe.write(msgspec.json.encode(Run(snapshot, order).reply()))
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"a run ended with status {status}")
    reply = msgspec.json.decode(data, type=Reply)
    return msgspec.structs.replace(reply, cpu_s=usage.ru_utime + usage.ru_stime)


def main() -> None:
    """Load, say so, then do what is ordered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rules", type=Path, nargs="+")
    parser.add_argument("--kept", type=Path, required=True, help="the folder of compiled rules")
    parser.add_argument("--no-hyperscan", action="store_true")
    arguments = parser.parse_args()
    snapshot = ready_snapshot(arguments.rules, arguments.kept, hyperscan=not arguments.no_hyperscan)
    gc.collect()
    gc.freeze()
    gc.disable()
    loaded = Loaded(
        rules=len(snapshot.rules),
        refused=len(snapshot.refused),
        load_cpu_s=time.process_time(),
        memory=memory_mb(os.getpid()),
    )
    _say(loaded)
    for line in sys.stdin.buffer:
        _say(forked(snapshot, msgspec.json.decode(line, type=Order)))


def _say(told: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
