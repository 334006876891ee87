"""What the engine bench sends, and how it judges: the parts whose rot would make a ratio a lie."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench import engine_cloud, engine_network, engine_windows
from bench.engine_differences import MISTAKE, Difference, numbered, report
from bench.engine_lane import FORMATS, TAGGED, Lane, Part, told, write_events
from bench.engine_lanes import first_event
from bench.engine_ours import Order, Run
from bench.engine_rules import rules_folder
from collectors.format import load_format
from soc_model.source import Logsource
from tests.detection.fakes import rule_data, snapshot

EVENT = {
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "EventID": 1,
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "ProcessId": 7,
    "ProcessGuid": "{A}",
    "UtcTime": "2020-01-01 00:00:00.000",
    "CommandLine": "cmd",
    "Image": "C:\\a.exe",
}


def test_a_fleet_repeats_what_repeats_and_nothing_else() -> None:
    events = list(engine_windows.fleet([EVENT], 1000, seed=1))
    assert {event["Image"] for event in events} == {EVENT["Image"]}
    changed = sum(event["CommandLine"] != "cmd" for event in events)
    assert 350 < changed < 450
    for name in ("ProcessGuid", "EventRecordID", "UtcTime"):
        assert len({event[name] for event in events}) == 1000
    assert events == list(engine_windows.fleet([EVENT], 1000, seed=1))


def test_without_repeats_every_text_is_new() -> None:
    events = list(engine_windows.unique([EVENT], 50, seed=1))
    for name in ("Image", "CommandLine", "ProcessGuid"):
        assert len({event[name] for event in events}) == 50
    assert {event["Channel"] for event in events} == {EVENT["Channel"]}


@pytest.mark.parametrize("make", [engine_network.eve, engine_cloud.cloud])
def test_generated_records_say_their_logsource_and_are_the_same_again(make: Any) -> None:
    events = list(make(400, 3))
    assert events == list(make(400, 3))
    groups = load_format(TAGGED, (FORMATS,)).parse([msgspec.json.encode(event) for event in events], {}, lambda _: None)
    kinds = Counter({(g.type.logsource.product, g.type.logsource.service): len(g) for g in groups})
    assert kinds == Counter((event["ls_product"], event["ls_service"]) for event in events)
    assert not any(group.unparsed for group in groups)


def test_names_of_eve_are_those_that_rules_ask_for() -> None:
    dns = next(event for event in engine_network.eve(100, 1) if event["event_type"] == "dns")
    (group,) = load_format(TAGGED, (FORMATS,)).parse([msgspec.json.encode(dns)], {}, lambda _: None)
    assert group.fields[0]["query"] == dns["dns"]["rrname"]
    assert group.type.logsource == Logsource(product="suricata", service="dns", category="dns")


def test_a_run_counts_events_and_hits_and_writes_a_line_for_each(tmp_path: Path) -> None:
    path, out = tmp_path / "events", tmp_path / "hits"
    write_events(path, ({"ls_product": "app", "F": number % 3} for number in range(30)))
    part = Part(path=str(path), events=30, format=TAGGED)
    found = snapshot(rule_data({"sel": {"F": 1}}))
    reply = Run(found, Order(parts=(part,), counted=True, out=str(out))).reply()
    assert (reply.events, reply.hits) == (30, 10)
    assert [json.loads(line)["record"] for line in islice(out.read_text().splitlines(), 3)] == [1, 4, 7]
    assert list(reply.by_rule.values()) == [10]


def test_the_first_event_of_a_lane_and_numbers_in_its_events(tmp_path: Path) -> None:
    path = tmp_path / "events"
    write_events(path, ({"a": number} for number in range(5)))
    lane = Lane(name="x", about="", parts=(Part(path=str(path), events=5, format=TAGGED),))
    assert Path(first_event(lane, tmp_path).parts[0].path).read_bytes() == b'{"a":0}\n'
    made = numbered(lane, tmp_path, 3)
    assert made.events == 3
    assert Path(made.parts[0].path).read_bytes().splitlines()[2] == b'{"bench_n":2,"a":2}'


def test_some_rules_are_spread_over_all_and_written_once(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for number in range(10):
        (rules / f"{number}.yml").write_text(f"title: r{number}\n")
    folder = rules_folder(rules, tmp_path, 3)
    assert [path.read_text() for path in sorted(folder.iterdir())] == ["title: r0", "title: r3", "title: r6"]
    assert rules_folder(rules, tmp_path, 3) == folder


def test_a_mistake_of_ours_stands_first() -> None:
    one = Difference(
        lane="x",
        rule_id="i" * 9,
        title="t|t",
        ours=1,
        rsigma=2,
        only_ours=0,
        only_rsigma=1,
        causes={"logsource": 1},
        example=0,
    )
    other = msgspec.structs.replace(one, title="wrong", causes={MISTAKE: 1})
    page = report([one, other], {"command": "c", "commit": "d" * 40, "rsigma": "0", "events": "x 2"})
    assert page.index("wrong") < page.index("t\\|t")
    assert f"## {MISTAKE}: 1 rules" in page


def test_both_are_told_the_same_logsource() -> None:
    assert told(Logsource(product="zeek", service="dns")) == ("--event-logsource", "product=zeek,service=dns")
