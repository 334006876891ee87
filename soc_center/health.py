"""How the center itself is, read from the gauges of its processes and from the operating system."""

import contextlib
import os
import shutil
from collections import Counter
from pathlib import Path

import msgspec

from soc_api.services import Health, ProcessHealth
from soc_center.folder import DataFolder
from soc_center.gauge import Gauge, is_running, read_gauge
from soc_center.reload_report import ReloadReport, Result, last_report
from soc_center.supervisor import PROCESSES
from soc_store.journal import JournalReader

PLAIN = ("records", "raw_bytes", "requests")  # counters that count work, not trouble


def health(folder: DataFolder) -> Health:
    """The present health; a process that does not run has no pid, and what is not known is 0."""
    gauges = {name: read_gauge(folder.run, name) for name in ("up", *PROCESSES)}
    disk = shutil.disk_usage(folder.root)
    told, refusals = _reloaded(folder.run, gauges["detect"])
    return Health(
        processes=[_process(name, gauge, gauges["up"]) for name, gauge in gauges.items()],
        journal_offset=_number(gauges["collect"], "last_offset"),
        outcome_offset=_number(gauges["detect"], "written"),
        triage_offset=_number(gauges["triage"], "cursor"),
        archive_offset=_number(gauges["archiver"], "sealed_through"),
        overload=_overload(folder.journal, gauges["detect"], gauges["triage"]),
        caches=_table(gauges["detect"], "caches"),
        found=_table(gauges["triage"], "rules"),
        rules=_number(gauges["detect"], "rules"),
        rules_refused=refusals.rules_refused,
        refusals=refusals.refusals,
        snapshot=refusals.snapshot,
        reload_result=told.result.value if told is not None else "",
        reload_problem=told.problem if told is not None else "",
        reload_at=told.at if told is not None else 0,
        reference=_text(gauges["detect"], "reference"),
        reference_problem=_text(gauges["detect"], "reference_problem"),
        indicators=_text(gauges["detect"], "indicators"),
        indicators_problem=_text(gauges["detect"], "indicators_problem"),
        disk_used_bytes=_size(folder.root),
        disk_free_bytes=disk.free,
    )


def _reloaded(run: Path, detect: Gauge | None) -> tuple[ReloadReport | None, ReloadReport]:
    """What came of the last wish for other rules since detection began, and what is said of the rules that run.

    A wrong rule that was added changes nothing that runs: then the report knows the refusals, and the gauge does not.
    """
    if detect is None:
        return None, ReloadReport(result=Result.UNCHANGED)
    report = last_report(run)
    if report is not None and report.at < detect.started:
        report = None
    running = msgspec.convert({**detect.values, "result": "unchanged"}, ReloadReport)
    later = report is not None and report.result is Result.UNCHANGED and report.snapshot == running.snapshot
    return report, report if report is not None and later else running


def _text(gauge: Gauge | None, name: str) -> str:
    return str(gauge.values.get(name, "")) if gauge is not None else ""


def _process(name: str, gauge: Gauge | None, up: Gauge | None) -> ProcessHealth:
    restarts = (up.values.get("restarts") or {}).get(name, 0) if up else 0
    if gauge is None:
        return ProcessHealth(name=name, pid=None, last_seen=0, restarts=restarts)
    return ProcessHealth(
        name=name,
        pid=gauge.pid if is_running(gauge.pid) else None,
        last_seen=gauge.at,
        started=gauge.started,
        memory_bytes=_memory(gauge),
        restarts=restarts,
        gauges={key: value for key, value in gauge.values.items() if isinstance(value, int | float | str)},
    )


def _memory(gauge: Gauge) -> int | None:
    """The proportional set size of a process and its workers; None where the system does not tell."""
    sizes = [pss(pid) for pid in (gauge.pid, *gauge.values.get("worker_pids", ()))]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def pss(pid: int) -> int | None:
    """The proportional set size of a process in bytes (Linux, ``smaps_rollup``)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None


def _number(gauge: Gauge | None, name: str) -> int:
    return int(gauge.values.get(name, 0)) if gauge is not None else 0


def _table(gauge: Gauge | None, name: str) -> dict[str, dict[str, int]]:
    return dict(gauge.values.get(name) or {}) if gauge is not None else {}


def _overload(journal: Path, detect: Gauge | None, triage: Gauge | None) -> dict[str, int]:
    """What was refused, torn, cut off, put aside, counted only or sent twice, since the counters began."""
    reader = JournalReader(journal)
    totals: Counter[str] = Counter()
    for counters in reader.counters().values():
        totals.update(counters)
    reader.close()
    for name in ("worker_restarts", "careful_batches", "quarantined_batches", "quarantined_records"):
        totals[name] = _number(detect, name)
    for name in ("storm_findings", "correlation_evicted", "correlation_late"):
        totals[name] = _number(triage, name)
    return {name: n for name, n in totals.items() if name not in PLAIN}


def _size(folder: Path) -> int:
    total = 0
    # os.walk, because rglob raises when a folder goes between being listed and being looked at.
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(place, name)).st_size
    return total
