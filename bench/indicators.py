"""1,000,000 indicators: what they cost detection in CPU, the center in memory, and an import in time.

Comes in: the Windows events of ``bench.node``, as they repeat (warm) and with
a name, address or hash of its own in each.
Goes out: events a CPU second with and without the set, interleaved, median of ``ROUNDS``; PSS of a parent and two
forked workers; seconds and peak memory of the import in a process of its own.
"""

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from bench.machine import machine
from bench.proc import memory_mb
from bench.result import write_result
from bench.stages import blocks, snapshot_of, source_of
from detection_rules.indicators import NO_INDICATORS, Indicators
from detection_rules.snapshot import Snapshot
from soc_center.folder import DataFolder
from soc_center.indicator_folder import current_path
from soc_center.indicator_import import INCOMING, ImportRequest, import_feed
from soc_center.job_place import JobPlace
from soc_center.pipeline import process
from soc_center.settings import Settings
from soc_model.chunk import Batch, Chunk
from soc_model.reference import NO_REFERENCE
from soc_store.indicator_set import IndicatorSet

ROUNDS = 5
BATCH_EVENTS = 250
UPLOAD = "0" * 32


def indicator(number: int) -> str:
    """One line of the feed: six in ten are domains, two addresses, one a hash, one a URL or a network."""
    kind, digest = number % 10, sha256(b"%d" % number).hexdigest()
    address = f"{20 + number % 50}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    if kind < 6:
        return f"{digest[:10]}.{digest[10:14]}.example"
    if kind < 8:
        return address
    if kind < 9:
        return digest
    return f"http://{digest[:8]}.example/{digest[8:20]}" if number % 20 == 9 else f"{address.rpartition('.')[0]}.0/24"


def import_once(data: Path, count: int) -> dict[str, Any]:
    """Seconds and peak memory of an import, in this process."""
    folder = DataFolder(data).make()
    incoming = folder.indicators / INCOMING / UPLOAD
    incoming.mkdir(parents=True)
    with (incoming / "feed.txt").open("w") as file:
        file.writelines(f"{indicator(number)}\n" for number in range(count))
    settings = Settings(version=1, name="bench", units=[], sources=[])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    place = JobPlace(folder=folder, settings=settings, now=lambda: time.time_ns() // 1000)
    began, cpu = time.monotonic(), time.process_time()
    told = import_feed(ImportRequest(upload=UPLOAD, feed="bench"), place, "bench")
    path = current_path(folder.indicators)
    assert path is not None
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mb_more": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1.024e-3, 1),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        **{name: told[name] for name in ("indicators", "twice", "refused")},
    }


def new_values(line: bytes, chance: Random) -> bytes:
    """The event with observable values that no other has."""
    event = json.loads(line)
    name = f"{chance.randrange(1 << 40):x}.{chance.randrange(1 << 24):x}.example"
    address = ".".join(str(chance.randrange(1, 224)) for _ in range(4))
    told = {"QueryName": name, "DestinationHostname": name, "DestinationIp": address, "IpAddress": address}
    for field, value in told.items():
        if field in event:
            event[field] = value
    return json.dumps(event).encode()


def batches(events: int, *, new: bool) -> list[Batch]:
    """The same batches for both lanes."""
    source, chance = source_of("windows"), Random(7)
    made: list[Batch] = []
    rendered, now = blocks("windows"), time.time_ns() // 1000
    number = 0
    while len(made) * BATCH_EVENTS < events:
        lines = rendered[number % len(rendered)].filled(number, time.time()).splitlines()
        for at in range(0, len(lines), BATCH_EVENTS):
            records = [new_values(line, chance) if new else line for line in lines[at : at + BATCH_EVENTS]]
            chunk = Chunk(source_id=source.id, stream="s", received=now, format=source.format, records=records)
            made.append(Batch(offset=len(made) + 1, received=now, sources={source.id: source}, chunks=[chunk]))
        number += 1
    return made


def spent(work: list[Batch], snapshot: Snapshot, indicators: Indicators) -> float:
    """CPU seconds that the batches take."""
    began = time.process_time()
    for batch in work:
        process(batch, snapshot, NO_REFERENCE, indicators)
    return time.process_time() - began


def throughput(path: Path, rules: list[str], events: int, *, new: bool) -> dict[str, Any]:
    """Events a CPU second without and with the set: each round other events, both lanes the same ones."""
    known = Indicators(IndicatorSet.open(path))
    lanes = {"without": (snapshot_of(rules), NO_INDICATORS), "with": (snapshot_of(rules), known)}
    work = batches(events * (ROUNDS + 1 if new else 1), new=new)
    each = len(work) // (ROUNDS + 1) if new else len(work)
    gc.collect()
    gc.freeze()
    gc.disable()
    found: dict[str, list[float]] = {name: [] for name in lanes}
    for round_no in range(ROUNDS + 1):
        part = work[round_no * each : (round_no + 1) * each] if new else work
        order = sorted(lanes, reverse=bool(round_no % 2))
        for name in order:
            seconds = spent(part, *lanes[name])
            if round_no:  # the first fills the caches
                found[name].append(len(part) * BATCH_EVENTS / seconds)
    gc.enable()
    rates = {name: statistics.median(values) for name, values in found.items()}
    return {
        "events_per_cpu_s": {name: round(rate) for name, rate in rates.items()},
        "rounds": {name: [round(value) for value in values] for name, values in found.items()},
        "cost_percent": round(100 * (1 - rates["with"] / rates["without"]), 1),
        "values": known.counters(),
    }


def memory(path: Path | None, rules: list[str], events: int) -> float:
    """PSS in MB of a parent with the rules and two forked workers that have decided events, in this process."""
    snapshot = snapshot_of(rules)
    indicators = Indicators(IndicatorSet.open(path)) if path is not None else NO_INDICATORS
    work = batches(events, new=True)
    gc.collect()
    gc.freeze()
    ready, done = os.pipe()
    pids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            gc.disable()
            spent(work, snapshot, indicators)
            os.write(done, b"x")
            time.sleep(60)
            os._exit(0)
        pids.append(pid)
    for _ in pids:
        os.read(ready, 1)
    total = sum(memory_mb(pid)["pss"] for pid in (os.getpid(), *pids))
    for pid in pids:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return total


def apart(*arguments: str) -> Any:
    """What a fresh process of this bench prints."""
    done = subprocess.run([sys.executable, "-m", "bench.indicators", *arguments], check=True, capture_output=True)
    return json.loads(done.stdout)


def main() -> None:
    """``python -m bench.indicators [--count N] [--events N] [--rules PATH] [--keep]``."""
    parser = argparse.ArgumentParser(prog="bench.indicators", description="What indicators cost.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=20_000, help="of one round")
    parser.add_argument("--rules", action="append", default=[], help="a folder, .yml or .zip of Sigma rules")
    parser.add_argument("--keep", action="store_true", help="write bench/results/indicators.json")
    parser.add_argument("--import-into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    given = parser.parse_args()
    more = [part for path in given.rules for part in ("--rules", path)]
    if given.import_into:
        print(json.dumps(import_once(given.import_into, given.count)))
        return
    if given.memory is not None:
        print(json.dumps(memory(Path(given.memory) if given.memory else None, given.rules, given.events)))
        return
    about = machine()
    with tempfile.TemporaryDirectory() as folder:
        imported = apart("--import-into", folder, "--count", str(given.count))
        path = current_path(DataFolder(Path(folder)).indicators)
        assert path is not None
        asked = ("--events", str(given.events), *more)
        pss = {"without": apart("--memory", "", *asked), "with": apart("--memory", str(path), *asked)}
        found = {
            "machine": about,
            "indicators": given.count,
            "import": imported,
            "pss_mb_parent_and_2_workers": {**pss, "more": round(pss["with"] - pss["without"], 1)},
            "warm": throughput(path, given.rules, given.events, new=False),
            "all_new": throughput(path, given.rules, given.events, new=True),
        }
    if given.keep:
        write_result("indicators", found)
    print(json.dumps({name: value for name, value in found.items() if name != "machine"}, indent=1))


if __name__ == "__main__":
    main()
