"""Zones: who a record belongs to, under one reference a batch, and who sees it then."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detection_rules.triage import fold
from soc_center.folder import DataFolder
from soc_center.pipeline import process
from soc_center.zones import ZoneWatch, read_zones
from soc_model.chunk import Batch, Chunk
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.reference import NO_REFERENCE, Reference, Zone
from soc_model.scope import Scope
from soc_model.source import Logsource, Source
from soc_store.archive import Archive
from soc_store.search import EventQuery, FindingQuery, search_events, search_findings
from soc_store.state import AlertFilter, State
from tests.center.detection_run import snapshot_of
from tests.center.test_detect_process import run

ZONES = [
    {"name": "finance", "unit": "b", "networks": ["10.2.0.0/16", "fd00:2::/32"], "hosts": ["*.fin.example", "till-*"]},
    {"name": "one desk", "unit": "c", "networks": ["10.2.3.4/32"], "hosts": ["mail.fin.example"]},
]
SETTINGS = {"version": 1, "name": "t", "units": [{"id": u, "name": u} for u in "abc"], "sources": []}


def zones_text(zones: list[dict[str, Any]]) -> str:
    return yaml.safe_dump({"format": "fengsui-zones", "version": 1, "zones": zones}, sort_keys=False)


def reference() -> Reference:
    return Reference([Zone(**zone) for zone in ZONES])


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("10.2.9.9", "b"),
        ("10.2.3.4", "c"),
        ("::ffff:10.2.3.4", "c"),
        ("[fd00:2::1]", "b"),
        ("10.3.0.1", None),
        ("web.FIN.example.", "b"),
        ("mail.fin.example", "c"),
        ("till-7", "b"),
        ("fin.example", None),
        ("", None),
        ("x" * 300 + ".fin.example", None),
    ],
)
def test_the_most_specific_zone_answers(value: str, unit: str | None) -> None:
    asked = reference()
    assert [asked.unit_of(value), asked.unit_of(value)] == [unit, unit]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=8), st.integers(0, 2**32 - 1))
def test_networks_are_found_as_by_looking_at_each(given_networks: list[tuple[int, int]], number: int) -> None:
    networks = {ipaddress.ip_network((address, length), strict=False) for address, length in given_networks}
    zones = [Zone(name=str(network), unit=str(network), networks=[str(network)]) for network in networks]
    address = ipaddress.ip_address(number)
    holding = sorted((network for network in networks if address in network), key=lambda one: one.prefixlen)
    assert Reference(zones).unit_of(str(address)) == (str(holding[-1]) if holding else None)


def test_its_id_is_its_content() -> None:
    turned = Reference([Zone(**zone) for zone in reversed(ZONES)])
    assert (reference().id, len(reference().id)) == (turned.id, 32)
    assert (NO_REFERENCE.id, Reference([]).id) == ("", "")
    assert reference().id != Reference([Zone(**ZONES[0])]).id


WRONG = {
    "unit: b": ("unit: nobody", 5, "no unit 'nobody'"),
    "10.2.0.0/16": ("10.2.0.1/16", 7, "host bits set"),
    "'*.fin.example'": ("'*.fin.*'", 10, "with one *"),
    "version: 1": ("version: 2", 2, "version"),
    "networks:": ("netwroks:", 4, "netwroks"),
    "- 10.2.3.4/32": ("- 10.2.0.0/16", None, "stands there twice"),
}


@pytest.mark.parametrize("right", WRONG)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, right: str) -> None:
    wrong, line, what = WRONG[right]
    path = tmp_path / "zones.yml"
    text = zones_text(ZONES)
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    with pytest.raises(Problem) as caught:
        read_zones(path, set("abc"))
    assert what in str(caught.value)
    assert caught.value.place == (f"{path}:{line}" if line else str(path))


def test_a_wrong_file_keeps_the_last_right_one_also_over_a_restart(tmp_path: Path) -> None:
    folder, clock = DataFolder(tmp_path), [0.0]
    folder.settings.write_text(yaml.safe_dump(SETTINGS))
    folder.zones.write_text(zones_text(ZONES))
    watch = ZoneWatch(folder, lambda: clock[0])
    folder.zones.write_text("nonsense")
    assert (watch.changed(), watch.problem) == (False, "")
    clock[0] = 61.0
    assert not watch.changed()
    again = ZoneWatch(folder)
    for one in (watch, again):
        assert (one.reference.id, one.problem.startswith(f"{folder.zones}:")) == (reference().id, True)
    folder.zones.write_text(zones_text(ZONES[:1]))
    clock[0] = 122.0
    assert (watch.changed(), watch.problem, watch.reference.unit_of("10.2.3.4")) == (True, "", "b")


def batch(layer: Layer, records: list[dict[str, Any]]) -> Batch:
    source = Source(
        id="s",
        name="s",
        transport="http",
        format="json",
        layer=layer,
        unit="a",
        logsource=Logsource(product="killtest"),
    )
    raws = [json.dumps({"marker": "kill-test", **record}).encode() for record in records]
    chunk = Chunk(source_id="s", stream="x", received=1, format="json", records=raws)
    return Batch(offset=1, received=1, sources={"s": source}, chunks=[chunk])


RECORDS = [
    {"host": {"name": "till-1"}},
    {"host": {"name": "elsewhere"}, "destination": {"ip": "10.2.3.4"}},
    {"host": {"name": "till-1"}, "destination": {"ip": "10.2.3.4"}},
    {"host": {"name": "elsewhere"}},
    {},
]


@pytest.mark.parametrize(("layer", "units"), [(Layer.HOST, "bcbaa"), (Layer.NETWORK, "bccaa")])
def test_each_event_has_the_unit_of_what_it_hits(tmp_path: Path, layer: Layer, units: str) -> None:
    snapshot = snapshot_of(tmp_path)
    split = process(batch(layer, RECORDS), snapshot, reference())
    whole = process(batch(layer, RECORDS), snapshot)
    found = {finding.event_id: finding.unit for finding in split.findings}
    assert [found[finding.event_id] for finding in whole.findings] == list(units)
    assert {finding.unit for finding in whole.findings} == {"a"}
    assert sum(block.rows for block in split.blocks) == sum(stat.events for stat in split.stats) == len(RECORDS)
    assert (split.reference, whole.reference) == (reference().id, "")


def test_another_units_event_is_seen_there_and_not_at_its_source(tmp_path: Path) -> None:
    outcome = process(batch(Layer.HOST, RECORDS), snapshot_of(tmp_path), reference())
    archive = Archive.open(tmp_path / "archive", lambda: 0)
    archive.add(outcome)
    archive.seal_due(0, force=True)
    archive.close()
    state = State.open(f"sqlite:///{tmp_path}/state.db", migrate=True)
    state.commit_tick(fold([outcome]), 1, 1)
    seen = {}
    for unit in "abc":
        scope = Scope(units=frozenset({unit}), realms=frozenset(Realm))
        rows = search_events(tmp_path, scope, EventQuery()).rows
        page = state.alerts(scope, AlertFilter(), sort="last_seen", limit=50, cursor=None)
        findings = [
            finding
            for alert in page.alerts
            for finding in search_findings(
                tmp_path, scope, FindingQuery(key=alert.key, first_offset=1, last_offset=1)
            ).findings
        ]
        seen[unit] = (len(rows), sum(alert.count for alert in page.alerts), len(findings))
        assert {row["unit"] for row in rows} | {alert.unit for alert in page.alerts} == {unit}
    state.close()
    assert seen == {"a": (2, 2, 2), "b": (2, 2, 2), "c": (1, 1, 1)}


def test_zones_are_exchanged_between_batches(tmp_path: Path) -> None:
    (tmp_path / "fengsui.yml").write_text(yaml.safe_dump({**SETTINGS, "units": [{"id": u, "name": u} for u in "uvw"]}))
    first, second = ([{"name": "z", "unit": unit, "hosts": ["till-*"]}] for unit in "vw")
    (tmp_path / "zones.yml").write_text(zones_text(first))
    record = json.dumps({"host": {"name": "till-1"}})
    found = run(
        tmp_path,
        batches=[[record]] * 3,
        between={"at": 3, "zones": zones_text(second), "batches": [[record]] * 3},
        constants={"LOOK_S": 0.0},
        until=6,
    )["outcomes"]
    assert [found[str(offset)]["units"] for offset in range(1, 7)] == [["v"]] * 3 + [["w"]] * 3
    assert [found[str(offset)]["reference"] for offset in (1, 6)] == [
        Reference([Zone(**zones[0])]).id for zones in (first, second)
    ]
