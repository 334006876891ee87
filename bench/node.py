"""The whole center under load: ``python -m bench.node --lane sources200|syslog|windows --seconds N [--rate N]``.

A real center with the rules named, the generator and the observer of lags as processes of their own. When the load is
over the bench waits until all is sealed and triaged, stops the center and counts the events by their own ids in the
archive. The one thing to know: CPU seconds per event do not depend on what else runs on the machine, rates do.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.center import BenchError, Center, end_on_sigterm, wait_for
from bench.counting import count_archive, segments
from bench.lanes import LANES
from bench.load import Load, Sent
from bench.machine import PROJECT, machine
from bench.proc import disk_bytes
from bench.result import write_result
from soc_store.journal import JournalReader
from soc_store.outcome_log import OutcomeReader

SAMPLE_S = 5.0
LEFT_S = 120.0  # for the generator to end beyond its time, and the center to work off what waits
DRAIN_S = 900.0


def run_lane(
    lane: str, folder: Path, *, seconds: float, rate: float, rules: list[str], workers: int, seal_s: float
) -> tuple[dict[str, Any], Sent]:
    """Everything measured on one run, and what was sent; raises BenchError."""
    made = LANES[lane](folder, rate)
    told = {"detection": {"rules": rules, "min_level": "low", "workers": workers}, "archive": {"seal_s": seal_s}}
    with Center(folder, made.sources, rules, **told) as center:
        idle = center.memory()
        before = center.cpu()
        with Observer(center.data, folder / "lag.json") as observer:
            generator = generate(folder, Load(seconds=seconds, ways=made.ways(center.intake)))
            samples = watch(center, generator, seconds + LEFT_S)
            committed, decided = _came(center)
            sent = msgspec.json.decode((folder / "sent.json").read_bytes(), type=Sent)
            began = time.monotonic()
            wait_for(
                lambda: time.monotonic() - began > 2 and center.drained(), DRAIN_S, "everything sealed and triaged"
            )
            drain_s = time.monotonic() - began
        cpu = {name: round(spent - before.get(name, 0.0), 2) for name, spent in center.cpu().items()}
        found = {
            "idle_memory_mb": idle,
            "cpu_s": cpu,
            "generator_cpu_s": round(sent.cpu_s, 2),
            "observer": observer.found,
            "memory_mb": _peaks(samples),
            "batches": committed,
            "batches_without_outcome_at_the_end_of_the_load": committed - decided,
            "decided_share_at_the_end_of_the_load": round(decided / max(committed, 1), 4),
            "drain_s": round(drain_s, 1),
            "findings": center.gauge("triage").get("findings", 0),
            "worker_restarts": center.gauge("detect").get("worker_restarts", 0),
            "disk_bytes": {name: disk_bytes(center.data / name) for name in ("journal", "outcomes", "archive")},
        }
    return found, sent


def _came(center: Center) -> tuple[int, int]:
    """How far the journal and the outcome log have come."""
    journal, outcomes = JournalReader(center.data / "journal"), OutcomeReader(center.data / "outcomes")
    found = journal.last(), outcomes.last()
    journal.close()
    outcomes.close()
    return found


class Observer:
    """``bench.lag`` beside a run; ``found`` is what it saw, once the context has ended."""

    def __init__(self, data: Path, out: Path) -> None:
        self._command = [sys.executable, "-m", "bench.lag", str(data), str(out)]
        self._out = out
        self.found: dict[str, Any] = {}

    def __enter__(self) -> "Observer":
        self._process = subprocess.Popen(self._command, cwd=PROJECT)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
            self.found = msgspec.json.decode(self._out.read_bytes())
        except (subprocess.TimeoutExpired, OSError) as error:
            self._process.kill()
            self.found = {"missing": str(error)}


def generate(folder: Path, load: Load) -> "subprocess.Popen[bytes]":
    (folder / "load.json").write_bytes(msgspec.json.encode(load))
    command = [sys.executable, "-m", "bench.generator", str(folder / "load.json"), str(folder / "sent.json")]
    return subprocess.Popen(command, cwd=PROJECT)


def watch(center: Center, generator: "subprocess.Popen[bytes]", within_s: float) -> list[dict[str, Any]]:
    """Memory every few seconds until the generator has ended; kills it when that takes too long."""
    samples = []
    deadline = time.monotonic() + within_s
    try:
        while generator.poll() is None:
            if time.monotonic() > deadline:
                raise BenchError(f"the generator did not end within {within_s:g} s")
            samples.append(center.memory())
            try:
                generator.wait(SAMPLE_S)
            except subprocess.TimeoutExpired:
                continue
    finally:
        generator.kill()
        generator.wait()
    if generator.returncode:
        raise BenchError(f"the generator ended with {generator.returncode}")
    return samples


def _peaks(samples: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The highest of every figure."""
    found: dict[str, dict[str, float]] = {}
    for sample in samples:
        for name, figures in sample.items():
            held = found.setdefault(name, {})
            for figure, value in figures.items():
                held[figure] = max(held.get(figure, 0.0), value)
    return found


def summed(found: dict[str, Any], sent: Sent, archive: Path) -> dict[str, Any]:
    """The run with its counts and with figures per event."""
    counts = count_archive(archive, sent)
    events = counts["acknowledged_or_out"]
    spent = sum(found["cpu_s"].values()) + found["generator_cpu_s"]
    each = {name: round(s / max(events, 1) * 1e6, 2) for name, s in found["cpu_s"].items()}
    return {
        "events": counts,
        "whole": bool(sent.heard and not counts["lost"] and not counts["doubled"] and not found["worker_restarts"]),
        "load_s": round(sent.seconds, 2),
        "events_per_s": round(events / sent.seconds, 1),
        "decided_events_per_s": round(events * found["decided_share_at_the_end_of_the_load"] / sent.seconds, 1),
        "bytes_per_event": round(sent.bytes / max(counts["sent"], 1), 1),
        "late_s": round(sent.late_s, 2),
        "refused_requests": sent.refused,
        "cpu_us_per_event": {**each, "generator": round(found["generator_cpu_s"] / max(events, 1) * 1e6, 2)},
        "cpu_us_per_event_all": round(spent / max(events, 1) * 1e6, 2),
        "cores_used": round(spent / (sent.seconds + found["drain_s"]), 2),
        **found,
        "segments": segments(archive),
    }


def main() -> None:
    """Run one lane, write its result, print one line."""
    parser = argparse.ArgumentParser(prog="bench.node", description="The whole center under load.")
    parser.add_argument("--lane", choices=sorted(LANES), required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=0.0, help="events/s of all senders together; 0: flat out")
    parser.add_argument("--rules", action="append", default=[], help="a folder, .yml or .zip of Sigma rules")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seal-s", type=float, default=60.0, help="less makes a short trial end sooner")
    parser.add_argument("--folder", type=Path, help="where the center lives (a temporary folder)")
    parser.add_argument("--name", default="", help="of the result; node_LANE where not given, '-' for none")
    arguments = parser.parse_args()
    end_on_sigterm()
    about = machine()
    folder = Path(tempfile.mkdtemp(prefix="fengsui-bench-", dir=arguments.folder))
    try:
        rules = [str(Path(path).resolve()) for path in arguments.rules]
        found, sent = run_lane(
            arguments.lane,
            folder,
            seconds=arguments.seconds,
            rate=arguments.rate,
            rules=rules,
            workers=arguments.workers,
            seal_s=arguments.seal_s,
        )
        result = {"machine": about, "lane": arguments.lane, **summed(found, sent, folder / "data" / "archive")}
    except BenchError as error:
        sys.exit(f"bench.node: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.name != "-":
        write_result(arguments.name or f"node_{arguments.lane}", result)
    print(summary(result))


def summary(result: dict[str, Any]) -> str:
    """The run in one line."""
    events, lag = result["events"], result["observer"].get("batches_s", {})
    return (
        f"node {result['lane']}: {result['events_per_s']:,.0f} events/s for {result['load_s']:.0f} s, "
        f"lost {events['lost']}, doubled {events['doubled']}, {result['cpu_us_per_event_all']} us CPU an event, "
        f"commit to outcome p50 {lag.get('p50')} p99 {lag.get('p99')} max {lag.get('max')} s, "
        f"drained {result['drain_s']} s after the load"
    )


if __name__ == "__main__":
    main()
