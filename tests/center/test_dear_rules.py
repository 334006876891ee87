"""Rules that cost too much: noticed over spans, put aside by their text, told as an event, released by a person."""

from pathlib import Path

import pytest
import yaml

from detection_rules.rule_cost import EVERY, Spending
from soc_center.canary import OWN, built_in_sources, own_event
from soc_center.dear_rules import SHARE, SPAN_S, CostWatch, DearRules, PutAside
from soc_center.folder import DataFolder
from soc_center.pipeline import run_records
from soc_center.rule_paths import OWN_RULES
from soc_center.rules_loading import load_center_rules
from soc_center.settings import Settings, Unit
from soc_model.problem import Problem
from tests.detection.fakes import group, rule_data, snapshot

SETTINGS = Settings(version=1, name="t", units=[Unit(id="u", name="u")], sources=[])
ASIDE = PutAside(rule_id="r", content_sha256="0" * 64, share=0.4, at=7)


def spans(*shares: float, workers: int = 2) -> list[list[str]]:
    """What is too dear after each span in which rule ``r`` took that share of the workers' time."""
    watch, spent, found = CostWatch(0.0), 0.0, []
    for n, share in enumerate(shares, 1):
        spent += share * SPAN_S
        found.append(watch.see({pid: {"r": spent, "cheap": 0.001 * n} for pid in range(workers)}, n * SPAN_S))
    return found


@pytest.mark.parametrize(
    ("shares", "dear"),
    [
        ((SHARE * 2, SHARE * 2), [[], ["r"]]),
        ((SHARE * 2, 0.0, SHARE * 2), [[], [], []]),
        ((SHARE / 2,) * 4, [[]] * 4),
        ((0.0, SHARE * 2, SHARE * 2), [[], [], ["r"]]),
    ],
)
def test_two_spans_running_make_a_rule_too_dear(shares, dear):
    assert spans(*shares) == dear
    assert spans(*shares, workers=1) == dear


def test_within_a_span_nothing_is_judged():
    watch = CostWatch(0.0)
    assert watch.see({1: {"r": 1000.0}}, SPAN_S / 2) == []
    assert watch.shares == {}


def test_what_is_put_aside_is_kept_once_and_released_by_name(tmp_path: Path):
    dear = DearRules(tmp_path / "rules" / "dear.json")
    assert dear.all() == {}
    dear.put([ASIDE])
    dear.put([ASIDE])
    assert list(dear.all().values()) == [ASIDE]
    assert dear.release("r") == ASIDE
    with pytest.raises(Problem, match="is not put aside"):
        dear.release("r")


def test_a_damaged_file_is_told_and_not_overwritten(tmp_path: Path):
    (tmp_path / "dear.json").write_text("{")
    with pytest.raises(Problem, match="cannot be read"):
        DearRules(tmp_path / "dear.json").put([ASIDE])
    assert (tmp_path / "dear.json").read_text() == "{"


def test_a_rule_put_aside_is_refused_with_the_reason_until_its_text_changes(tmp_path: Path):
    folder = DataFolder(tmp_path).make()
    before = load_center_rules(folder, SETTINGS).snapshot
    one = next(iter(before.cards.values()))
    DearRules(folder.dear_rules).put([PutAside(rule_id=one.id, content_sha256=one.content_sha256, share=0.41, at=1)])
    after = load_center_rules(folder, SETTINGS).snapshot
    assert set(before.cards) - set(after.cards) == {one.id}
    assert [(refusal.rule_id, "41 %" in refusal.reason) for refusal in after.refused] == [(one.id, True)]
    DearRules(folder.dear_rules).release(one.id)
    assert load_center_rules(folder, SETTINGS).snapshot.id == before.id


def test_the_center_s_own_event_becomes_an_alert():
    rule = OWN_RULES / "platform" / "detection_rule_put_aside.yml"
    data = yaml.safe_load(rule.read_text("utf-8"))
    event = own_event("rule_put_aside", 7, **{"event.code": "r", "reason": "why"})
    outcome = run_records(event.records, built_in_sources(SETTINGS)[OWN], snapshot(data), received=event.received)
    assert [finding.group for finding in outcome.findings] == [{"event.code": "r"}]


def test_an_expression_of_its_own_is_counted_to_the_rules_that_ask_for_it():
    slow = {"F|re": r"(?=x)a.*b$"}
    rules = [rule_data({"sel": slow}, id=f"a0000000-0000-4000-8000-00000000000{n}") for n in (1, 2)]
    engine = snapshot(*rules, rule_data({"sel": {"F": "y"}})).engine
    engine.match(group([{"F": f"{n} value"} for n in range(3 * EVERY)]))
    costs = engine.rule_costs()
    assert costs[rules[0]["id"]] == pytest.approx(costs[rules[1]["id"]], rel=0.9)
    assert all(seconds > 0 for seconds in costs.values())


def test_shared_expressions_are_shared_in_the_sum():
    spending = Spending()
    spending.expression(4, 2.0)
    spending.expression(4, 1.0)
    spending.expression(5, 0.5)
    assert spending.by_rule({4: [0, 1], 5: [1]}) == {0: 1.5, 1: 2.0}
