"""Idle memory by process: ``python -m bench.idle --rules PATH``, PSS in MB (10^6 bytes) against design §9."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.center import BenchError, Center, end_on_sigterm
from bench.lanes import LANES
from bench.machine import machine
from bench.result import write_result

#: Design §9; a process that is not named counts with the group of its place there.
FLOORS_MB = {
    "supervisor": 20,
    "collect": 50,
    "detect and workers": 150,
    "triage and archiver": 110,
    "serve": 110,
    "schedule and work": 60,
}
GROUPS = {"triage": "triage and archiver", "archiver": "triage and archiver", "supervisor": "supervisor"}
ALL_MB = 500


def group_of(process: str) -> str:
    """The name under which design §9 counts a process."""
    if process.startswith("detect"):
        return "detect and workers"
    if process.startswith(("schedule", "work")):
        return "schedule and work"
    return GROUPS.get(process, process)


def grouped(memory: dict[str, dict[str, float]]) -> dict[str, float]:
    """PSS by group."""
    found: dict[str, float] = {}
    for process, figures in memory.items():
        name = group_of(process)
        found[name] = round(found.get(name, 0.0) + figures.get("pss", 0.0), 1)
    return found


def measure(folder: Path, rules: list[str], seconds: float) -> dict[str, Any]:
    """PSS by process and group after so many idle seconds, with all 200 sources of the lane configured."""
    with Center(folder, LANES["sources200"](folder, 0).sources, rules) as center:
        time.sleep(seconds)
        memory = center.memory()
    groups = grouped(memory)
    return {
        "idle_s": seconds,
        "pss_mb": groups,
        "floors_mb": FLOORS_MB,
        "over": sorted(name for name, pss in groups.items() if pss > FLOORS_MB.get(name, ALL_MB)),
        "all_mb": round(sum(groups.values()), 1),
        "floor_all_mb": ALL_MB,
        "processes": memory,
    }


def main() -> None:
    """Measure, write the result, print one line."""
    parser = argparse.ArgumentParser(prog="bench.idle", description="Idle memory by process.")
    parser.add_argument("--rules", action="append", default=[], help="a folder, .yml or .zip of Sigma rules")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--name", default="idle", help="of the result, '-' for none")
    arguments = parser.parse_args()
    end_on_sigterm()
    about = machine()
    folder = Path(tempfile.mkdtemp(prefix="fengsui-bench-"))
    try:
        found = measure(folder, [str(Path(path).resolve()) for path in arguments.rules], arguments.seconds)
    except BenchError as error:
        sys.exit(f"bench.idle: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.name != "-":
        write_result(arguments.name, {"machine": about, **found})
    parts = ", ".join(f"{name} {pss:.0f}/{FLOORS_MB.get(name, 0)}" for name, pss in found["pss_mb"].items())
    print(f"idle: {found['all_mb']:.0f} MB PSS of {ALL_MB}: {parts}")


if __name__ == "__main__":
    main()
