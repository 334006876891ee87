"""The engine bench: our engine, rsigma and the naive oracle on the same files in the same run, by CPU seconds.

``python -m bench.engine --rules SIGMA.zip --recordings FOLDER`` runs every lane (ours, rsigma, ours, rsigma ..., median
of five) and writes ``bench/results/engine.json``. What counts: one core, user and system time, without loading rules.
Both read the file from disk, decode it, match all rules and write a line for each hit to nowhere.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.engine_differences import MISTAKE, Difference, compare, numbered, report
from bench.engine_growth import Growth
from bench.engine_lane import Lane
from bench.engine_lanes import EVENTS, Lanes, first_event
from bench.engine_load import measure_load, ready_snapshot
from bench.engine_oracle import OracleSample
from bench.engine_ours import Reply
from bench.engine_rules import rules_folder
from bench.engine_runs import Measured, Ours, Rsigma, find_rsigma
from bench.machine import machine
from bench.result import RESULTS, write_result
from detection_rules.library import read_documents

CACHE = Path(tempfile.gettempdir()) / "fengsui-bench-engine"
RUNS = 5


def measure_lane(lane: Lane, ours: Ours, rsigma: Rsigma | None, cache: Path, runs: int) -> dict[str, Any]:
    """The figures of one lane, runs interleaved."""
    mine: list[Reply] = []
    theirs: list[Measured] = []
    for _ in range(runs):
        mine.append(ours.run(lane))
        if rsigma is not None:
            theirs.append(rsigma.run(lane))
    found: dict[str, Any] = {
        "about": lane.about,
        "events": lane.events,
        "bytes": _bytes(lane),
        "ours": _our_figures(mine),
    }
    if rsigma is not None:
        load = median(rsigma.run(first_event(lane, cache)).cpu_s for _ in range(3))
        found["rsigma"] = _their_figures(theirs, lane.events, load)
        found["ratio"] = round(found["rsigma"]["cpu_s"] / found["ours"]["cpu_s"], 2)
    return found


def _bytes(lane: Lane) -> int:
    return sum(Path(part.path).stat().st_size for part in lane.parts)


def _our_figures(runs: list[Reply]) -> dict[str, Any]:
    cpu = median(run.cpu_s for run in runs)
    middle = min(runs, key=lambda run: abs(run.cpu_s - cpu))
    return {
        "cpu_s": round(cpu, 3),
        "runs_cpu_s": [round(run.cpu_s, 3) for run in runs],
        "events_per_cpu_s": round(middle.events / cpu),
        "hits": middle.hits,
        "stages_s": middle.stages,
        "caches": middle.caches,
        "memory_mb": middle.memory,
    }


def _their_figures(runs: list[Measured], events: int, load: float) -> dict[str, Any]:
    cpu = max(median(run.cpu_s for run in runs) - load, 1e-6)
    return {
        "cpu_s": round(cpu, 3),
        "runs_cpu_s": [round(run.cpu_s, 3) for run in runs],
        "load_cpu_s": round(load, 3),
        "events_per_cpu_s": round(events / cpu),
        "hits": runs[0].hits,
        "peak_rss_mb": round(runs[0].peak_mb, 1),
    }


def tell(name: str, found: dict[str, Any]) -> None:
    """One line for the terminal."""
    ours, theirs = found["ours"], found.get("rsigma")
    against = f"  rsigma {theirs['events_per_cpu_s']:>8}/s  ratio {found['ratio']:5.2f}" if theirs else ""
    stages = " ".join(
        f"{stage} {spent / max(found['events'], 1) * 1e6:.1f}" for stage, spent in ours["stages_s"].items()
    )
    print(
        f"{name:8} {found['events']:>7} events  ours {ours['events_per_cpu_s']:>8}/s{against}  us: {stages}", flush=True
    )


def main() -> None:
    """See the module's docstring; ``--help`` tells the options."""
    arguments = _arguments()
    about, cores = machine(), sorted(os.sched_getaffinity(0))
    bench = Bench(arguments, cores)
    if arguments.differences:
        bench.write_differences(about)
        return
    result = {"machine": about, "rsigma": bench.rsigma.version if bench.rsigma else None, "runs": arguments.runs}
    result["load"] = measure_load(bench.rules)
    print("load", result["load"], flush=True)
    result["lanes"] = bench.measure_lanes()
    if arguments.oracle:
        result["oracle"] = bench.measure_oracle(arguments.oracle)
        print("oracle", result["oracle"], flush=True)
    if arguments.growth:
        growth = Growth(bench.lanes, arguments.rules, arguments.cache, bench.binary, cores)
        result["growth"] = growth.measure()
        print("growth", result["growth"], flush=True)
    if arguments.name != "-":
        print(write_result(arguments.name, result))


class Bench:
    """What all parts of the bench share: rules, lanes and engines."""

    def __init__(self, arguments: argparse.Namespace, cores: list[int]) -> None:
        self._arguments, self._core = arguments, cores[-1]
        self._cache: Path = arguments.cache
        self._names: list[str] = arguments.lane or list(EVENTS)
        self._events = EVENTS | {name: int(count) for name, count in (pair.split("=") for pair in arguments.events)}
        self.rules = rules_folder(arguments.rules, self._cache)
        self.lanes = Lanes(arguments.recordings, self._cache)
        self.binary = find_rsigma(arguments.rsigma)
        self.rsigma = Rsigma(self.binary, self.rules, core=self._core) if self.binary else None

    def measure_lanes(self) -> dict[str, Any]:
        """Every lane that was asked for."""
        ours = Ours([self.rules], self._cache, core=self._core, hyperscan=not self._arguments.no_hyperscan)
        found = {}
        for name in self._names:
            lane = self.lanes.make(name, self._events[name])
            found[name] = measure_lane(lane, ours, self.rsigma, self._cache, self._arguments.runs)
            tell(name, found[name])
        ours.close()
        return found

    def measure_oracle(self, events: int) -> dict[str, Any]:
        """The naive oracle on a sample of the lanes of Windows and cloud events."""
        oracle = OracleSample(self.rules, ready_snapshot([self.rules], self._cache / "compiled"))
        names = [name for name in ("windows", "cloud") if name in self._names]
        lanes = [self.lanes.make(name, self._events[name]) for name in names]
        return {lane.name: msgspec.to_builtins(oracle.measure(lane, events)) for lane in lanes}

    def write_differences(self, about: dict[str, Any]) -> None:
        """The report of differences; exit status 1 where one is a mistake of ours."""
        if self.rsigma is None:
            raise SystemExit("bench.engine: differences from what? rsigma is not here")
        snapshot = ready_snapshot([self.rules], self._cache / "compiled")
        documents = {str(one.data.get("id")): one for one in read_documents([self.rules]).documents}
        found: list[Difference] = []
        sizes = {}
        for name in self._names:
            most = sys.maxsize if name == "otrf" else self._arguments.differences
            lane = numbered(self.lanes.make(name, self._events[name]), self._cache, most)
            here = compare(lane, snapshot, documents, self.rsigma)
            sizes[name] = lane.events
            print(f"{name}: {len(here)} rules differ", flush=True)
            found += here
        text = report(found, {**about, "rsigma": self.rsigma.version, "events": _listed(sizes)})
        (RESULTS / "engine_differences.md").write_text(text, "utf-8")
        if any(MISTAKE in one.causes for one in found):
            raise SystemExit("bench.engine: the oracle does not side with us; see the report")


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sizes.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.engine", description=__doc__)
    parser.add_argument("--rules", type=Path, required=True, help="SigmaHQ's zip, or a folder of rules")
    parser.add_argument("--recordings", type=Path, required=True, help="the folder of evtx, otrf, zeek ... recordings")
    parser.add_argument("--rsigma", default="", help="its binary; default: the one on PATH, none: ours alone")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where generated files are kept")
    parser.add_argument("--lane", action="append", choices=sorted(EVENTS), help="default: all")
    parser.add_argument("--events", action="append", default=[], metavar="LANE=N", help="another size of a lane")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--no-hyperscan", action="store_true")
    parser.add_argument("--oracle", type=int, default=60, metavar="N", help="events of its sample; 0 leaves it out")
    parser.add_argument("--growth", action="store_true", help="also by rules, events and cores (minutes more)")
    parser.add_argument(
        "--differences", type=int, const=20_000, nargs="?", metavar="N", help="explain them on N events of each lane"
    )
    parser.add_argument("--name", default="engine", help="of the result; - writes none")
    return parser.parse_args()


if __name__ == "__main__":
    main()
