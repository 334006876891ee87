"""The campaign: the same for the same seed, in order, over all layers, and what it says of itself is so."""

import json
from pathlib import Path

import pytest
import yaml

from soc_center.drill.campaign import expected, first_shots, plan
from soc_center.drill.scenario import HERE, Scenario, load_scenario
from soc_center.drill.sources import drill_files, drill_sources
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem

START_US = 1_790_000_000_000_000
SCENARIO = load_scenario()


def test_same_seed_same_campaign() -> None:
    assert plan(SCENARIO, START_US, 7) == plan(SCENARIO, START_US, 7)
    assert plan(SCENARIO, START_US, 7) != plan(SCENARIO, START_US, 8)


@pytest.mark.parametrize(("pace", "span_s"), [(1.0, 45), (0.11, 4.95)])
def test_shots_are_in_order_and_in_time(pace: float, span_s: float) -> None:
    times = [shot.at_us for shot in plan(SCENARIO, START_US, 1, pace)]
    assert times == sorted(times)
    assert times[0] >= START_US
    assert times[-1] <= START_US + span_s * 1_000_000


def test_records_are_one_line_each_and_all_different() -> None:
    records = [shot.record for shot in plan(SCENARIO, START_US, 1)]
    assert not any(b"\n" in record or b"{{" in record for record in records)
    assert len(set(records)) == len(records)


def test_background_is_as_large_as_told() -> None:
    quiet = [shot for shot in plan(SCENARIO, START_US, 1) if not shot.step]
    assert len(quiet) == SCENARIO.background_records == 400
    assert {shot.source_id for shot in quiet} == set(SCENARIO.layers)


def test_all_layers_are_attacked_and_watched() -> None:
    assert {item.layer for item in expected(SCENARIO)} == set(Layer)
    assert {item.step for item in expected(SCENARIO)} <= set(first_shots(plan(SCENARIO, START_US, 1)))


def test_expected_rules_are_ours_and_of_their_layer(rules_folder: Path) -> None:
    layers = {
        document["id"]: path.parent.name
        for path in rules_folder.rglob("*.yml")
        for document in yaml.safe_load_all(path.read_text("utf-8"))
    }
    assert [layers[item.rule_id] for item in expected(SCENARIO)] == [item.layer for item in expected(SCENARIO)]


def test_techniques_are_real(techniques: dict[str, list[str]]) -> None:
    assert {step.technique for step in SCENARIO.steps} <= set(techniques)


def test_sources_are_those_of_the_scenario_all_in_realm_drill(tmp_path: Path) -> None:
    sources = drill_sources("city-soc", tmp_path)
    assert {source.id: source.layer for source in sources} == SCENARIO.layers
    assert {source.realm for source in sources} == {Realm.DRILL}
    followed = {source.id: source.settings["paths"] for source in sources if source.transport == "file"}
    assert followed == {name: [str(path)] for name, path in drill_files(tmp_path).items()}


def copied(folder: Path, **changes: object) -> Path:
    """The scenario's files with other values at the top level."""
    for name in ("scenario.yml", "background.yml"):
        document = yaml.safe_load((HERE / name).read_text("utf-8"))
        document |= {key: value for key, value in changes.items() if key in document}
        (folder / name).write_text(json.dumps(document), "utf-8")
    return folder


def test_a_copy_loads(tmp_path: Path) -> None:
    loaded = load_scenario(copied(tmp_path))
    assert isinstance(loaded, Scenario)
    assert loaded == SCENARIO


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": {"drill-host": "host"}},
        {"layers": {"drill-host": "moon"}},
        {"duration_s": 10},
        {"duration_s": "long"},
        {"steps": [{"id": "x"}]},
        {"background": [{"source": "drill-host", "share": 1, "record": "x", "when": "now"}]},
    ],
    ids=str,
)
def test_wrong_scenarios_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(Problem, match=str(tmp_path)):
        load_scenario(copied(tmp_path, **changes))


@pytest.mark.parametrize("text", ["[1]", "a: [", ""])
def test_files_that_are_no_mapping_are_refused(tmp_path: Path, text: str) -> None:
    (copied(tmp_path) / "background.yml").write_text(text)
    with pytest.raises(Problem, match=r"background\.yml"):
        load_scenario(tmp_path)
