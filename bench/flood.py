"""A flood of failed logons at a correlation: ``python -m bench.flood [--rate 20000] [--seconds 60]``.

A real center with one base rule and one correlation on it, and sshd lines of one guessed host over 20 connections. Says
how far triage was behind the outcome log, when the alert of the correlation was there, whether it counted exactly what
was sent, and how many findings one rule had in one batch at most. The one thing to know: a lag is exact to one look of
10 ms, and the look itself reads the state as the console does.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from bench.center import BenchError, Center, end_on_sigterm, wait_for
from bench.counting import count_archive
from bench.failed_logons import HOST
from bench.lag import Lags
from bench.lanes import SYSLOG_CONNECTIONS, syslog
from bench.latency import Stream
from bench.load import Load, Sent, Way
from bench.machine import machine
from bench.node import DRAIN_S, LEFT_S, generate, watch
from bench.result import quantiles, write_result
from soc_center.folder import DataFolder
from soc_model.alert import Alert
from soc_model.layer import Realm
from soc_model.scope import Scope
from soc_store.outcome_log import OutcomeReader
from soc_store.state import AlertFilter, State

BASE_ID = "0c7a4a0e-6f51-4b0e-8a3c-5a1d5f7b9e21"
RULE_ID = "5d0e2f64-1b0a-4c58-9f2d-7c6b1a9d3e10"
LIMIT, SPAN_S = 100, 60
RULES = f"""
title: Many failed logons on one host (bench)
id: {RULE_ID}
status: test
level: high
correlation:
    type: event_count
    rules: [bench_failed_logon]
    group-by: [host.name]
    timespan: {SPAN_S}s
    condition: {{gte: {LIMIT}}}
---
title: Failed logon (bench)
id: {BASE_ID}
name: bench_failed_logon
status: test
level: low
logsource: {{product: linux, service: sshd}}
detection:
    failed: {{message|contains: 'Failed password for '}}
    condition: failed
"""
LOOK_S = 0.01
EVERYTHING = Scope(units=None, realms=frozenset(Realm))
FLOOR_LAG_S, FLOOR_ALERT_S, FLOOR_FINDINGS = 1.0, 2.0, 100


class Watcher(threading.Thread):
    """How far triage is behind the outcome log, and what the outcomes and the alert come to, look by look."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self._outcomes = OutcomeReader(data / "outcomes")
        self._state = State.open(DataFolder(data).state_url)
        self._after = self._outcomes.last()
        self.lags = Lags(self._after)
        self.most_findings = self.most_partials = self.base_events = self.outcomes = 0
        self.counts: list[tuple[float, int]] = []  # when the alert was seen to count how many
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            cursor = self._state.cursor()
            self.lags.look(self._outcomes.last(), cursor, time.monotonic())
            self._read()
            alert = self.alert()
            if alert is not None and (not self.counts or self.counts[-1][1] != alert.count):
                self.counts.append((time.time(), alert.count))
            time.sleep(LOOK_S)

    def alert(self) -> Alert | None:
        """The alert of the correlation, when it is there."""
        return next(iter(self._state.alerts(EVERYTHING, AlertFilter(rule_id=RULE_ID)).alerts), None)

    def _read(self) -> None:
        for head in self._outcomes.heads(self._after):
            self._after = head.offset
            self.outcomes += 1
            found = Counter(one.rule_id for one in head.findings)
            self.most_findings = max(self.most_findings, *found.values(), 0)
            self.most_partials = max(self.most_partials, len(head.partials))
            self.base_events += sum(one.count for one in head.partials if one.correlation == RULE_ID)


def measure(folder: Path, rate: float, seconds: float, more: list[str]) -> dict[str, Any]:
    """Everything measured on one run; raises BenchError."""
    rules = folder / "flood.yml"
    rules.write_text(RULES)
    made = syslog(folder, rate)
    with Center(folder, made.sources, [*more, str(rules)], archive={"seal_s": 5.0}) as center:
        stream, watcher = Stream(center.link(), RULE_ID), Watcher(center.data)
        stream.start()
        watcher.start()
        before = center.cpu()
        load = Load(seconds=seconds, ways=[_failed(way) for way in made.ways(center.intake)])
        watch(center, generate(folder, load), seconds + LEFT_S)
        sent = msgspec.json.decode((folder / "sent.json").read_bytes(), type=Sent)
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 2 and center.drained(), DRAIN_S, "everything sealed and triaged")
        cpu = {name: round(spent - before.get(name, 0.0), 2) for name, spent in center.cpu().items()}
        watcher.stopping = True
        watcher.join(10)
        triage = center.gauge("triage")
        alert = watcher.alert()
    return _summed(watcher, stream, sent, alert) | {
        "archive": count_archive(center.data / "archive", sent),
        "cpu_s": cpu,
        "correlation": {name: n for name, n in triage.items() if name.startswith("correlation_")},
    }


def _failed(way: Way) -> Way:
    return msgspec.structs.replace(way, kind="failed_logon")


def _summed(watcher: Watcher, stream: Stream, sent: Sent, alert: Alert | None) -> dict[str, Any]:
    total = sum(sent.lines)
    counted = alert.count if alert is not None else 0
    arrived = min(stream.arrived.values(), default=None)
    exact = next((at for at, count in watcher.counts if count == total), None)
    lags = quantiles(watcher.lags.found)
    return {
        "events_sent": total,
        "events_per_s": round(total / sent.seconds, 1),
        "late_s": round(sent.late_s, 2),
        "heard": sent.heard,
        "triage_lag_s": lags,
        "alert_after_s": round(arrived - sent.began, 3) if arrived is not None else None,
        "alert_count": counted,
        "exact": counted == total,
        "exact_after_the_last_event_s": round(exact - sent.ended, 3) if exact is not None else None,
        "alert_updates_seen": len(watcher.counts),
        "outcomes": watcher.outcomes,
        "base_events_in_partials": watcher.base_events,
        "partials_of_a_batch_max": watcher.most_partials,
        "findings_of_a_rule_and_batch_max": watcher.most_findings,
        "floors": {"triage_lag_s": FLOOR_LAG_S, "alert_s": FLOOR_ALERT_S, "findings": FLOOR_FINDINGS},
        "whole": bool(
            counted == total
            and sent.heard
            and lags.get("max", FLOOR_LAG_S + 1) <= FLOOR_LAG_S
            and arrived is not None
            and arrived - sent.began <= FLOOR_ALERT_S
            and watcher.most_findings <= FLOOR_FINDINGS
        ),
    }


def main() -> None:
    """Measure, write the result, print one line."""
    parser = argparse.ArgumentParser(prog="bench.flood", description="Failed logons at a correlation.")
    parser.add_argument("--rate", type=float, default=20_000.0, help="failed logons a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rules", action="append", default=[], help="more rules: a folder, .yml or .zip")
    parser.add_argument("--folder", type=Path, help="where the center lives (a temporary folder)")
    parser.add_argument("--name", default="flood", help="of the result; '-' for none")
    arguments = parser.parse_args()
    end_on_sigterm()
    about = machine()
    folder = Path(tempfile.mkdtemp(prefix="fengsui-bench-", dir=arguments.folder))
    try:
        rules = [str(Path(path).resolve()) for path in arguments.rules]
        found = measure(folder, arguments.rate, arguments.seconds, rules)
    except BenchError as error:
        sys.exit(f"bench.flood: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    asked = {"rate": arguments.rate, "seconds": arguments.seconds, "host": HOST, "limit": LIMIT, "span_s": SPAN_S}
    if arguments.name != "-":
        write_result(arguments.name, {"machine": about, **asked, **found})
    print(
        f"flood at {found['events_per_s']:,.0f}/s over {SYSLOG_CONNECTIONS} connections: triage lag p99 "
        f"{found['triage_lag_s'].get('p99')} max {found['triage_lag_s'].get('max')} s; alert after "
        f"{found['alert_after_s']} s, counts {found['alert_count']:,} of {found['events_sent']:,}; at most "
        f"{found['findings_of_a_rule_and_batch_max']} findings of a rule and batch"
    )


if __name__ == "__main__":
    main()
