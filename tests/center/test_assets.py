"""From records to assets through a real center: sighted, sealed, folded by the job, asked for in a scope."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soc_center.folder import DataFolder
from soc_center.job_place import Cancelled, JobPlace
from soc_center.jobs import fold_sightings
from soc_center.settings import read_settings
from soc_center.system import SYSTEM
from soc_model.asset import Asset, AssetKind
from soc_model.job import Job
from soc_model.layer import Realm
from soc_model.scope import Scope
from soc_store.asset_query import AssetFilter
from soc_store.assets import Assets
from soc_store.state import State
from tests.running import KEY, Center, wait_for

HOSTILE = "<script>alert(1)</script> \u202egpj\x00 " + "x" * 3000


def source(name: str, unit: str, layer: str, realm: str) -> dict[str, Any]:
    key = {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "trust": "key"}
    plain = {"id": name, "name": name, "transport": "http", "format": "json"}
    return {**plain, "unit": unit, "layer": layer, "realm": realm, **key}


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    sources = [source("web", "unit", "host", "live"), source("net", "water", "network", "live")]
    sources.append(source("exercise", "unit", "host", "drill"))
    units = [{"id": "unit", "name": "unit"}, {"id": "water", "name": "water"}]
    center = Center(tmp_path, sources, units=units, archive={"seal_s": 0.5})
    center.start()
    wait_for(lambda: center.gauge("detect") and center.gauge("archiver") and center.gauge("serve"), 60, "running")
    by_hand(center)
    yield center
    center.stop()


def by_hand(center: Center) -> None:
    """The center's own clock leaves the job to the test."""
    state = State.open(DataFolder(center.data).state_url)
    wait_for(lambda: state.schedules.change("fold_sightings", "test", 0, enabled=False), 30, "the schedule is there")
    state.close()


def record(**fields: Any) -> bytes:
    return json.dumps({"@timestamp": "2026-03-02T08:00:00Z", **fields}).encode()


def place(center: Center, cancelled: Any = lambda: False) -> JobPlace:
    folder = DataFolder(center.data)
    return JobPlace(folder=folder, settings=read_settings(folder.settings), now=lambda: 0, cancelled=cancelled)


def fold(center: Center, cancelled: Any = lambda: False) -> dict[str, Any]:
    return fold_sightings.run(Job(id=1, kind="fold_sightings"), place(center, cancelled))


def sealed(center: Center, batches: int) -> bool:
    values = center.gauge("archiver").get("values", {})
    return values.get("sealed_through", 0) == center.gauge("detect").get("values", {}).get("written", -1) >= batches


def listed(center: Center, scope: Scope = SYSTEM, **wanted: Any) -> list[Asset]:
    assets = Assets.open(DataFolder(center.data).state_url)
    found = assets.assets(scope, AssetFilter(**wanted), 500)
    assets.close()
    return found.assets


@pytest.mark.timeout(180)
def test_events_become_assets_of_their_unit_and_realm(center: Center) -> None:
    host = {"host": {"name": "WEB-01.city.example", "ip": ["fe80::1", "10.0.0.5"]}}
    assert center.send("web", [record(**host, user={"name": "wang"}), record(host={"name": "web-01"})]) == 200
    flow = record(src_ip="10.0.0.5", dst_ip="10.9.0.1", dst_port=443)
    assert center.send("net", [flow, flow, record(host={"name": HOSTILE}, user={"name": "\ud800"})]) == 200
    assert center.send("exercise", [record(host={"name": "web-01"}, user={"name": "attacker"})]) == 200
    wait_for(lambda: sealed(center, 3), 30, "everything sealed")
    told = fold(center)
    hosts = {(asset.unit, asset.realm, asset.count) for asset in listed(center, kinds=(AssetKind.HOST,))}
    assert {("unit", Realm.LIVE, 2), ("unit", Realm.DRILL, 1)} < hosts
    (service,) = listed(center, kinds=(AssetKind.SERVICE,))
    assert (service.name, service.unit, service.count) == ("10.9.0.1:443", "water", 2)
    drilled = listed(center, Scope(units=None, realms=frozenset({Realm.DRILL})))
    assert {asset.name for asset in drilled} == {"web-01", "attacker"}
    owned = [asset for asset in listed(center, units=("unit",), realms=(Realm.LIVE,)) if asset.kind is AssetKind.HOST]
    assert set(owned[0].addresses) == {"10.0.0.5"}
    assert (told["new_assets"], fold(center)) == (9, {"sightings": 0, "new_assets": 0, "capped": 0})


@pytest.mark.timeout(180)
def test_a_run_that_is_cancelled_is_gone_on_with_and_nothing_counts_twice(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        assert center.send("web", [record(host={"name": f"h{n}-{i}"}) for i in range(5)]) == 200
    wait_for(lambda: sealed(center, 4), 30, "everything sealed")
    monkeypatch.setattr(fold_sightings, "ROWS", 2)
    calls = iter(range(100))

    def cancel() -> bool:
        return next(calls) in (1, 4, 5, 9)

    for _ in range(4):
        with pytest.raises(Cancelled):
            fold(center, cancel)
    fold(center)
    assert [asset.count for asset in listed(center)] == [1] * 20
