"""ATT&CK coverage: what is there, what is fed, what fired; and the layer that ATT&CK Navigator reads."""

import json

import pytest

from detection_rules.coverage import (
    AttackTable,
    CoveringRule,
    Technique,
    coverage,
    navigator_layer,
    read_table,
    superseded,
    techniques_of,
)

TABLE = AttackTable(
    techniques=[
        Technique(id=name, name=name, tactics=("execution",), platforms=("Linux",))
        for name in ("T1001", "T1059", "T1059.001", "T1059.002")
    ],
    tactics=["execution", "impact"],
)
RULES = [
    CoveringRule(id="sub", title="a", tags=("attack.t1059.001", "attack.execution"), live=True),
    CoveringRule(id="whole", title="b", tags=("attack.T1059",), live=False),
    CoveringRule(id="gone", title="c", tags=("attack.t9999", "cve.2020-1"), live=True),
]


def states(alerts: dict[str, int]) -> dict[str, str]:
    return {one.id: one.state for one in coverage(TABLE, RULES, alerts).techniques}


def test_each_technique_stands_where_its_best_rule_stands():
    assert states({}) == {"T1001": "none", "T1059": "live", "T1059.001": "live", "T1059.002": "none"}
    fired = states({"whole": 3})
    assert (fired["T1059"], fired["T1059.001"]) == ("fired", "live")


def test_rules_and_alerts_are_counted_once_a_technique():
    found = coverage(TABLE, RULES, {"sub": 2, "whole": 3, "other": 9})
    one = next(one for one in found.techniques if one.id == "T1059")
    assert (one.rules, one.live, one.fired, one.alerts, one.rule_ids) == (2, 1, 2, 5, ("sub", "whole"))
    assert found.unknown == {"T9999": 1}
    assert (found.count("fired"), len(found.of_tactic("execution")), found.of_tactic("impact")) == (2, 4, [])


@pytest.mark.parametrize(
    ("tag", "named"),
    [
        ("attack.t1059.001", {"T1059", "T1059.001"}),
        ("attack.T1059", {"T1059"}),
        ("attack.g0001", set()),
        ("attack.t10590", set()),
        ("detection.t1059", set()),
    ],
)
def test_tags_name_techniques(tag, named):
    assert techniques_of([tag]) == named


def test_the_layer_says_the_same_and_is_json():
    layer = json.loads(json.dumps(navigator_layer(coverage(TABLE, RULES, {"sub": 1}), "city", "now")))
    assert {one["techniqueID"]: one["score"] for one in layer["techniques"]} == {"T1059": 3, "T1059.001": 3}
    assert (layer["domain"], layer["versions"]["layer"]) == ("enterprise-attack", "4.5")


def test_the_table_that_comes_with_the_product_is_whole():
    table = read_table()
    ids = {technique.id for technique in table.techniques}
    assert len(ids) == len(table.techniques) > 800
    assert {tactic for technique in table.techniques for tactic in technique.tactics} == set(table.tactics)
    assert "T1086" in superseded(table)  # PowerShell, now T1059.001
    assert "T1059" not in superseded(table)
    assert {name.partition(".")[0] for name in ids} <= ids
