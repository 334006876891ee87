"""Event to alert, stage by stage, while a load runs: ``python -m bench.latency --lane syslog --rate N --seconds S``.

Five marked events a second come in over HTTP, each of a host of its own, so that each raises an alert of its own; the
alert is seen on ``/api/v1/stream`` as a browser sees it. The one thing to know: an alert finds its event by its time,
which is different in every marked event to the microsecond.
"""

import argparse
import http.client
import json
import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.center import KEY, KEY_SHA256, UNIT, BenchError, Center, end_on_sigterm
from bench.lanes import LANES
from bench.load import Load
from bench.machine import machine
from bench.node import Observer, generate, watch
from bench.result import quantiles, write_result
from soc_store.outcome_log import OutcomeReader

RULE_ID = "7f1c6c43-6c0a-4f5e-9a55-0d1d3c2c8e10"
RULE = f"""
title: Marked by the latency bench
id: {RULE_ID}
status: test
level: medium
logsource: {{product: bench}}
detection:
    marked: {{marker: latency-bench}}
    condition: marked
"""
EACH_S = 0.2
SETTLE_S = 5.0  # of the load before the first marked event
LATE_S = 15.0  # for the last alerts to arrive
LOOK_S = 0.005
#: Design §3, in seconds: what of it falls into each stage that can be seen from outside.
BUDGET_S = {"commit": 0.050, "decide": 0.055, "triage": 0.100, "stream": 0.020}
FLOOR_S = 0.5

Times = dict[int, float]  # the event's own time in µs: when, in seconds since the epoch


class Outcomes(threading.Thread):
    """When the outcome of each marked event was in the outcome log, to one look of 5 ms."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self._folder = data / "outcomes"
        self.seen: Times = {}
        self.stopping = False

    def run(self) -> None:
        reader = OutcomeReader(self._folder)
        after = reader.last()
        while not self.stopping:
            heads = reader.heads(after)
            now = time.time()
            for head in heads:
                after = head.offset
                self.seen |= {finding.at: now for finding in head.findings if finding.rule_id == RULE_ID}
            if not heads:
                time.sleep(LOOK_S)


class Stream(threading.Thread):
    """When each marked alert arrived on the stream, and when triage says it was committed."""

    def __init__(self, link: str, rule_id: str = RULE_ID) -> None:
        super().__init__(daemon=True)
        self._rule_id = rule_id
        self._place, cookie = signed_in(link)
        self._connection = http.client.HTTPConnection(self._place, timeout=60)
        self._connection.request("GET", "/api/v1/stream", headers={"Cookie": cookie})
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise BenchError(f"the stream answers {self._answer.status}")
        self.arrived: Times = {}
        self.committed: Times = {}

    def run(self) -> None:
        for line in self._answer:
            if line.startswith(b"data:"):
                now = time.time()
                body = json.loads(line[5:])
                if body.get("rule_id") == self._rule_id:
                    self.arrived.setdefault(body["last_seen"], now)
                    self.committed.setdefault(body["last_seen"], body["at"] / 1e6)


def signed_in(link: str) -> tuple[str, str]:
    """The console's place and the cookie of a session begun with the link."""
    place, _, token = link.removeprefix("http://").partition("/setup/")
    connection = http.client.HTTPConnection(place, timeout=30)
    connection.request("POST", f"/setup/{token}", headers={"Origin": f"http://{place}"})
    answer = connection.getresponse()
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    connection.close()
    if not cookie:
        raise BenchError(f"no session: the link answers {answer.status}")
    return place, cookie


def send_marked(center: Center, seconds: float) -> tuple[Times, Times]:
    """When each marked event was sent, and when it was acknowledged."""
    sent: Times = {}
    acknowledged: Times = {}
    connection = http.client.HTTPConnection("127.0.0.1", center.intake, timeout=30)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-ndjson"}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        due = time.monotonic() + EACH_S
        at = time.time_ns() // 1000
        when = datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000)
        record = {"@timestamp": when.isoformat(), "marker": "latency-bench", "host": {"name": f"marked-{at}"}}
        sent[at] = time.time()
        connection.request("POST", "/v1/intake/marked", json.dumps(record) + "\n", headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            acknowledged[at] = time.time()
        time.sleep(max(0.0, due - time.monotonic()))
    connection.close()
    return sent, acknowledged


def stages(sent: Times, acknowledged: Times, decided: Times, committed: Times, arrived: Times) -> dict[str, Any]:
    """Quantiles of each stage, over the events that were seen at both its ends."""
    steps = {
        "commit": (sent, acknowledged),
        "decide": (acknowledged, decided),
        "triage": (decided, committed),
        "stream": (committed, arrived),
        "event to alert": (sent, arrived),
    }
    return {
        name: quantiles([later[at] - earlier[at] for at in earlier if at in later])
        for name, (earlier, later) in steps.items()
    }


def measure(lane: str, folder: Path, seconds: float, rate: float, rules: list[str]) -> dict[str, Any]:
    """The stages at that load; raises BenchError."""
    rule = folder / "marked.yml"
    rule.write_text(RULE)
    made = LANES[lane](folder, rate)
    marked = {
        "id": "marked",
        "name": "marked",
        "transport": "http",
        "format": "json",
        "layer": "application",
        "unit": UNIT,
        "trust": "key",
        "key_sha256": KEY_SHA256,
        "logsource": {"product": "bench"},
    }
    with Center(folder, [*made.sources, marked], [*rules, str(rule)]) as center:
        stream, outcomes = Stream(center.link()), Outcomes(center.data)
        stream.start()
        outcomes.start()
        load = Load(seconds=seconds + 2 * SETTLE_S, ways=made.ways(center.intake))
        with Observer(center.data, folder / "lag.json") as observer:
            generator = generate(folder, load)
            try:
                time.sleep(SETTLE_S)
                sent, acknowledged = send_marked(center, seconds)
            except BaseException:
                generator.kill()
                generator.wait()
                raise
            watch(center, generator, LATE_S + 120)
            time.sleep(LATE_S)
        outcomes.stopping = True
        outcomes.join(10)
        told = msgspec.json.decode((folder / "sent.json").read_bytes())
        return {
            "lane": lane,
            "rate": rate,
            "background_events_per_s": round(sum(told["lines"]) / told["seconds"], 1),
            "background_late_s": round(told["late_s"], 2),
            "marked": len(sent),
            "alerts": len(stream.arrived.keys() & sent.keys()),
            "stages_s": stages(sent, acknowledged, outcomes.seen, stream.committed, stream.arrived),
            "budget_s": BUDGET_S,
            "floor_p99_s": FLOOR_S,
            "observer": observer.found,
        }


def main() -> None:
    """Measure, write the result, print one line."""
    parser = argparse.ArgumentParser(prog="bench.latency", description="Event to alert, stage by stage.")
    parser.add_argument("--lane", choices=sorted(LANES), default="syslog", help="of the load behind the marked events")
    parser.add_argument("--rate", type=float, required=True, help="events/s of the load: half of what saturates")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rules", action="append", default=[], help="a folder, .yml or .zip of Sigma rules")
    parser.add_argument("--name", default="", help="of the result; latency_LANE where not given, '-' for none")
    arguments = parser.parse_args()
    end_on_sigterm()
    about = machine()
    folder = Path(tempfile.mkdtemp(prefix="fengsui-bench-"))
    try:
        rules = [str(Path(path).resolve()) for path in arguments.rules]
        found = measure(arguments.lane, folder, arguments.seconds, arguments.rate, rules)
    except BenchError as error:
        sys.exit(f"bench.latency: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.name != "-":
        write_result(arguments.name or f"latency_{arguments.lane}", {"machine": about, **found})
    whole = found["stages_s"]["event to alert"]
    parts = ", ".join(f"{name} p99 {q.get('p99')}" for name, q in found["stages_s"].items() if name in BUDGET_S)
    print(
        f"latency {arguments.lane} at {found['background_events_per_s']:,.0f}/s: {found['alerts']} alerts of "
        f"{found['marked']}, p50 {whole.get('p50')} p99 {whole.get('p99')} max {whole.get('max')} s; {parts}"
    )


if __name__ == "__main__":
    main()
