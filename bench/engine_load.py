"""Rule load for the engine bench: from the start of a process to an engine that is ready, cold and from what is kept.

Run as a program (``python -m bench.engine_load RULES KEPT``) it loads the rules as detect does, says what that is in
memory, and ends.
"""

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.proc import memory_mb
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.compiled_rules import CompiledRules
from soc_center.rule_choice import rules_as_written


def ready_snapshot(rules: list[Path], kept: Path, *, hyperscan: bool = True) -> Snapshot:
    """Every rule at the paths, of every level, ready to match; compiled rules are kept in a folder."""
    gc.disable()
    compiled = CompiledRules(kept).get(rules_as_written(rules)).compiled
    snapshot = compiled.snapshot() if hyperscan else compile_snapshot(compiled.ruleset, hyperscan=False)
    snapshot.warm()
    gc.enable()
    return snapshot


def measure_load(rules: Path, runs: int = 3) -> dict[str, Any]:
    """Seconds by the clock and by processor (children too), and memory, cold and from what is kept."""
    with tempfile.TemporaryDirectory() as folder:
        cold = [_measured(rules, Path(folder, str(number))) for number in range(runs)]
        kept = [_measured(rules, Path(folder, "0")) for _ in range(runs)]
    return {"cold": _middle(cold), "cached": _middle(kept)}


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: run["wall_s"])[len(runs) // 2]


def _measured(rules: Path, kept: Path) -> dict[str, Any]:
    began = time.monotonic()
    command = [sys.executable, "-m", "bench.engine_load", str(rules), str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready_s = time.monotonic() - began
    told: dict[str, Any] = msgspec.json.decode(line)
    return {"wall_s": round(ready_s, 3), **told}


def main() -> None:
    """Load, and say what it took."""
    snapshot = ready_snapshot([Path(sys.argv[1])], Path(sys.argv[2]))
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {
        "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 3),
        "rules": len(snapshot.rules),
        "memory_mb": memory_mb(os.getpid()),
        "child_peak_rss_mb": round(children.ru_maxrss / 1000, 1),
    }
    print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    main()
