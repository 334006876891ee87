"""CPU per event of each stage, in one process: what the whole path costs without pipes, sockets and disks.

Comes in: the same events that ``bench.node`` sends. Goes out: microseconds of CPU an event by stage, and with
``--profile`` where they go. The one thing to know: warm figures; the first blocks, in which caches fill, do not count.
"""

import argparse
import cProfile
import gc
import pstats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench.block import Block
from bench.load import RENDER, Kind, block_of
from bench.machine import machine
from bench.result import write_result
from collectors.cutting import Cutter
from collectors.format import load_format
from detection_rules.detect import detect
from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.pipeline import locate, process
from soc_center.rule_paths import OWN_RULES
from soc_model.chunk import BATCH_BYTES, Batch, Chunk
from soc_model.layer import Layer, Level
from soc_model.outcome import Outcome
from soc_model.source import Source
from soc_store.archive import Archive
from soc_store.batch import decode_batch, encode_batch
from soc_store.outcome_log import decode_head, decode_rows, encode_outcome

T = TypeVar("T")
LINES = 500  # in a block


class Stages:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.profile: cProfile.Profile | None = None

    def run(self, stage: str, act: Callable[[], T]) -> T:
        """What ``act`` gives; its CPU time is added to the stage."""
        if self.profile is not None:
            self.profile.enable()
        began = time.process_time()
        found = act()
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - began
        if self.profile is not None:
            self.profile.disable()
        return found


def blocks(kind: Kind) -> list[Block]:
    """Eight blocks of different events of one kind."""
    return [block_of(kind, LINES, seed) for seed in range(8)]


def source_of(kind: Kind) -> Source:
    """The source that sends them."""
    form = {"syslog": "syslog", "windows": "windows_json"}[kind]
    return Source(id="bench", name="bench", transport="http", format=form, layer=Layer.HOST, unit="bench")


def snapshot_of(rules: list[str]) -> Snapshot:
    """Our own rules and those at ``rules``, compiled and warm."""
    library = read_documents([OWN_RULES, *map(Path, rules)])
    snapshot = compile_snapshot(load_rules(library.documents, refused=library.refused, min_level=Level.LOW))
    snapshot.warm()
    return snapshot


def once(  # noqa: PLR0917
    stages: Stages, batch_no: int, data: bytes, source: Source, snapshot: Snapshot, archive: Archive, lines: int
) -> int:
    """One batch, in chunks of at most ``lines`` events, through every stage; how many events it had."""
    now = time.time_ns() // 1000
    records = stages.run("cut", lambda: Cutter(load_format(source.format), {}).feed(data, final=True))
    chunks = [
        Chunk(
            source_id=source.id,
            stream="s",
            received=now,
            format=source.format,
            records=one.records[at : at + lines],
            context=one.context,
        )
        for one in records
        for at in range(0, len(one.records), lines)
    ]
    whole = Batch(offset=batch_no, received=now, sources={source.id: source}, chunks=chunks)
    blob = stages.run("journal blob", lambda: encode_batch(whole))
    batch = stages.run("decode batch", lambda: decode_batch(blob))
    located = stages.run("parse, locate", lambda: list(locate(batch, snapshot.wanted)))
    stages.run("match", lambda: [snapshot.engine.match(one.group) for one in located])
    outcome = stages.run("match again, outcome", lambda: detect(located, snapshot, batch.offset, batch.received))
    encoded = stages.run("encode outcome", lambda: encode_outcome(outcome))
    head = stages.run("triage: decode head", lambda: decode_head(encoded.head))
    again = stages.run("archiver: decode rows", lambda: decode_rows(encoded.rows))
    stages.run("archiver: add", lambda: archive.add(msgspec.structs.replace(head, blocks=again)))
    stages.run("archiver: seal", lambda: archive.seal_due(time.monotonic_ns() // 1000))
    return sum(block.rows for block in outcome.blocks)


def run_block(data: bytes, kind: Kind, offset: int) -> Outcome:
    """What the lines of a block come to without any rule, as the batch at ``offset``."""
    source, now = source_of(kind), time.time_ns() // 1000
    chunk = Chunk(source_id=source.id, stream="s", received=now, format=source.format, records=data.splitlines())
    batch = Batch(offset=offset, received=now, sources={source.id: source}, chunks=[chunk])
    return process(batch, compile_snapshot(load_rules([])))


def measure(kind: Kind, rules: list[str], batches: int, lines: int, profile: bool) -> dict[str, Any]:
    """µs an event by stage."""
    stages, source, snapshot = Stages(), source_of(kind), snapshot_of(rules)
    rendered = blocks(kind)
    per_batch = max(1, BATCH_BYTES // len(rendered[0].filled(0, 0.0)))
    gc.collect()
    gc.freeze()
    gc.disable()
    events = 0
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(Path(folder), lambda: time.monotonic_ns() // 1000)
        for number in range(1, batches + 1):
            if number == batches // 4:
                stages.spent.clear()
                events = 0
                stages.profile = cProfile.Profile() if profile else None
            pieces = [
                rendered[(number + i) % len(rendered)].filled(number * per_batch + i, time.time())
                for i in range(per_batch)
            ]
            events += once(stages, number, b"".join(pieces), source, snapshot, archive, lines)
        archive.close()
    if stages.profile is not None:
        pstats.Stats(stages.profile).sort_stats("tottime").print_stats(45)
    each = {stage: round(spent / events * 1e6, 2) for stage, spent in stages.spent.items()}
    return {
        "kind": kind,
        "events": events,
        "batch_events": events // (batches - batches // 4 + 1),
        "us_per_event": each,
    }


def main() -> None:
    """``python -m bench.stages --kind syslog|windows [--rules PATH] [--batches N] [--profile]``."""
    parser = argparse.ArgumentParser(prog="bench.stages", description="CPU per event by stage.")
    parser.add_argument("--kind", choices=sorted(RENDER), required=True)
    parser.add_argument("--rules", action="append", default=[], help="a folder, .yml or .zip of Sigma rules")
    parser.add_argument("--batches", type=int, default=200, help="of 256 KiB")
    parser.add_argument("--lines", type=int, default=LINES, help="events in a chunk: 1 is what many slow senders give")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write bench/results/stages_KIND.json")
    arguments = parser.parse_args()
    about = machine()
    measured = measure(arguments.kind, arguments.rules, arguments.batches, arguments.lines, arguments.profile)
    found = {"machine": about, "chunk_events": arguments.lines, **measured}
    if arguments.keep:
        write_result(f"stages_{arguments.kind}", found)
    each = found["us_per_event"]
    for stage, us in each.items():
        print(f"{stage:24} {us:8.2f}")
    print(f"stages {arguments.kind}: {sum(each.values()) - each['match']:.1f} us an event, {found['events']} events")


if __name__ == "__main__":
    main()
