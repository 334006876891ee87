"""The engine bench: our engine, rsigma and the naive oracle on the same files in the same run, by CPU seconds.

``python -m bench.engine --rules SIGMA.zip --recordings FOLDER`` runs every lane (ours, rsigma, ours, rsigma ..., median
of five) and writes ``bench/results/engine.json``. What counts: one core, user and system time, without loading rules.
Both read the file from disk, decode it, match all rules and write a line for each hit to nowhere.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.engine_lane import Lane
from bench.engine_lanes import EVENTS, Lanes, first_event
from bench.engine_ours import Reply
from bench.engine_rules import rules_folder
from bench.engine_runs import Measured, Ours, Rsigma, find_rsigma
from bench.machine import machine
from bench.result import write_result

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
    cache = arguments.cache
    about = machine()
    rules = rules_folder(arguments.rules, cache)
    lanes = Lanes(arguments.recordings, cache)
    events = dict(EVENTS) | {name: int(count) for name, count in (pair.split("=") for pair in arguments.events)}
    binary = find_rsigma(arguments.rsigma)
    rsigma = Rsigma(binary, rules, core=arguments.core) if binary else None
    ours = Ours([rules], core=arguments.core, hyperscan=not arguments.no_hyperscan)
    result = {
        "machine": about,
        "rsigma": rsigma.version if rsigma else None,
        "runs": arguments.runs,
        "rules": ours.loaded.rules,
        "rules_refused": ours.loaded.refused,
        "lanes": {},
    }
    for name in arguments.lane or EVENTS:
        lane = lanes.make(name, events[name])
        result["lanes"][name] = measure_lane(lane, ours, rsigma, cache, arguments.runs)
        tell(name, result["lanes"][name])
    ours.close()
    if arguments.name != "-":
        print(write_result(arguments.name, result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.engine", description=__doc__)
    parser.add_argument("--rules", type=Path, required=True, help="SigmaHQ's zip, or a folder of rules")
    parser.add_argument(
        "--recordings", type=Path, required=True, help="the folder of recordings (evtx, otrf, zeek ...)"
    )
    parser.add_argument("--rsigma", default="", help="its binary; default: the one on PATH, none: ours alone")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where generated files are kept")
    parser.add_argument("--lane", action="append", choices=sorted(EVENTS), help="default: all")
    parser.add_argument("--events", action="append", default=[], metavar="LANE=N", help="another size of a lane")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--core", type=int, default=_core())
    parser.add_argument("--no-hyperscan", action="store_true")
    parser.add_argument("--name", default="engine", help="of the result; - writes none")
    return parser.parse_args()


def _core() -> int:
    """The last core that this process may use."""
    return max(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
