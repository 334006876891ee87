"""The center's own numbers as metric families: processes, lag by stage, overload by source, rules, open alerts.

Pure: what was read comes in, families go out. Names begin with ``fengsui_``; what only grows ends in ``_total``.
"""

from collections.abc import Iterator, Mapping, Sequence

from soc_api.exposition import Family, Number, Sample
from soc_api.services import Health, ProcessHealth
from soc_model.layer import Level, Realm
from soc_store.source_report import SourceReport

SECOND_US = 1_000_000
SILENT_US = 10 * SECOND_US
#: Counted for every source, so that the first one lost is a rise from 0 and no new line.
ALWAYS = (
    *("unparsed", "truncated", "time_flagged", "quarantined", "oversize", "torn", "refused", "refused_disk_full"),
    *("refused_queue_full", "unreadable", "dropped", "redelivered", "sightings_capped", "assets_capped"),
)
STATS = frozenset({"unparsed", "truncated", "time_flagged", "quarantined", "sightings_capped"})
PLAIN = frozenset({"records", "raw_bytes", "requests"})  # counters of collect that count work, not trouble


def center_families(health: Health, now: int, version: str) -> Iterator[Family]:
    """What the center says of itself."""
    yield _one("fengsui_build_info", "This release.", 1, {"version": version})
    yield from _processes(health.processes, now)
    yield from _stages(health)
    yield _one("fengsui_rules_loaded", "Rules that run.", health.rules)
    yield _one("fengsui_rules_refused", "Rules that cannot be evaluated.", health.rules_refused)
    yield _one("fengsui_disk_used_bytes", "Size of the data directory.", health.disk_used_bytes)
    yield _one("fengsui_disk_free_bytes", "Free bytes on its disk.", health.disk_free_bytes)
    totals = [Sample({"kind": kind}, n) for kind, n in sorted(health.overload.items())]
    yield Family("fengsui_overload_total", "counter", "What overload and bad input have cost, all sources.", totals)
    yield from _caches(health.caches)
    yield from _rules(health.found)


def source_families(reports: Sequence[SourceReport]) -> Iterator[Family]:
    """What each source has sent, and what of it was lost or odd."""
    named = [(report, _labels(report)) for report in reports]
    for name, what in (("events", "Events"), ("raw_bytes", "Bytes"), ("findings", "Findings")):
        samples = [Sample(labels, getattr(report, name)) for report, labels in named]
        yield Family(f"fengsui_source_{name}_total", "counter", f"{what} of a source.", samples)
    losses = [Sample({**labels, "kind": kind}, n) for report, labels in named for kind, n in _losses(report).items()]
    yield Family("fengsui_source_overload_total", "counter", "Lost, cut, refused, put aside or sent twice.", losses)
    lags = [Sample(labels, report.lag_max_s) for report, labels in named]
    yield Family("fengsui_source_lag_max_seconds", "gauge", "Largest time received minus event time.", lags)
    last = [Sample(labels, report.last_received / SECOND_US) for report, labels in named if report.last_received]
    yield Family("fengsui_source_last_received_timestamp_seconds", "gauge", "When it last sent (never: absent).", last)


def alert_family(open_alerts: Mapping[Realm, Mapping[Level, int]]) -> Family:
    """Open alerts by realm and level, every level of a realm named."""
    samples = [
        Sample({"realm": realm.value, "level": level.value}, levels.get(level, 0))
        for realm, levels in open_alerts.items()
        for level in Level
    ]
    return Family("fengsui_alerts_open", "gauge", "Alerts that are not closed.", samples)


def _one(name: str, what: str, value: Number, labels: Mapping[str, str] | None = None) -> Family:
    return Family(name, "gauge", what, [Sample(labels or {}, value)])


def _processes(processes: Sequence[ProcessHealth], now: int) -> Iterator[Family]:
    def family(name: str, what: str, values: Mapping[str, Number | None]) -> Family:
        samples = [Sample({"process": process}, value) for process, value in values.items() if value is not None]
        return Family(f"fengsui_process_{name}", "counter" if name.endswith("_total") else "gauge", what, samples)

    yield family("up", "1 where it runs and has told of itself lately.", {p.name: _up(p, now) for p in processes})
    yield family("memory_bytes", "Proportional set size, with workers.", {p.name: p.memory_bytes for p in processes})
    yield family("restarts_total", "Restarts by the supervisor.", {p.name: p.restarts for p in processes})
    starts = {p.name: p.started / SECOND_US if p.started else None for p in processes}
    yield family("start_time_seconds", "When it started.", starts)
    own = [
        Sample({"process": process.name, "name": name}, value)
        for process in processes
        for name, value in process.gauges.items()
        if isinstance(value, int | float)
    ]
    yield Family("fengsui_process_gauge", "gauge", "A process's own numbers.", own)


def _up(process: ProcessHealth, now: int) -> int:
    return int(process.pid is not None and now - process.last_seen <= SILENT_US)


def _stages(health: Health) -> Iterator[Family]:
    # Gauges are up to a second old: what was detected was in the journal, whatever collect last said.
    journal, outcomes = max(health.journal_offset, health.outcome_offset), health.outcome_offset
    offsets = {
        "journal": journal,
        "outcomes": outcomes,
        "triage": health.triage_offset,
        "archive": health.archive_offset,
    }
    behind = {
        "outcomes": journal - outcomes,
        "triage": outcomes - health.triage_offset,
        "archive": outcomes - health.archive_offset,
    }
    samples = [Sample({"stage": stage}, offset) for stage, offset in offsets.items()]
    yield Family("fengsui_offset", "gauge", "The journal offset a stage has come to.", samples)
    lags = [Sample({"stage": stage}, max(0, n)) for stage, n in behind.items()]
    yield Family("fengsui_lag_batches", "gauge", "Batches a stage is behind the one that feeds it.", lags)


def _caches(caches: Mapping[str, Mapping[str, int]]) -> Iterator[Family]:
    for count, what in (
        ("hits", "Asked of a bounded cache whose keys senders choose, and known."),
        ("misses", "Asked of such a cache, and worked out anew."),
        ("evicted", "Entries that such a cache lost for want of room."),
    ):
        samples = [Sample({"cache": name}, counts.get(count, 0)) for name, counts in caches.items()]
        yield Family(f"fengsui_cache_{count}_total", "counter", what, samples)


def _rules(found: Mapping[str, Mapping[str, int]]) -> Iterator[Family]:
    for count, what in (
        ("findings", "What a rule found since triage began, storms included; the 200 that found most."),
        ("storm_findings", "What of it a storm only counted."),
    ):
        samples = [Sample({"rule": rule}, counts.get(count, 0)) for rule, counts in found.items()]
        yield Family(f"fengsui_rule_{count}_total", "counter", what, samples)


def _labels(report: SourceReport) -> dict[str, str]:
    return {
        "source": report.source_id,
        "layer": report.layer.value,
        "unit": report.unit,
        "realm": report.realm.value,
    }


def _losses(report: SourceReport) -> dict[str, int]:
    stats = {name: getattr(report, name) for name in STATS}
    counted = {name: n for name, n in report.counters.items() if name not in PLAIN}
    return dict.fromkeys(ALWAYS, 0) | counted | stats
