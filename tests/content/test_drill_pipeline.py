"""The drill through the real formats, the real rules, detection and triage: each step finds its rule and no other."""

import msgspec
import pytest

from detection_rules.snapshot import Snapshot
from detection_rules.triage import fold
from soc_center.drill.campaign import Shot, expected, first_shots, plan
from soc_center.drill.scenario import load_scenario
from soc_center.drill.sources import drill_sources
from soc_center.drill.verdict import Verdict, judge
from soc_center.pipeline import run_records
from soc_model.alert import Alert, AlertDelta, AlertState
from soc_model.outcome import Outcome

START_US = 1_790_000_000_000_000
ARRIVES_US = 60_000_000
SCENARIO = load_scenario()
SHOTS = plan(SCENARIO, START_US, 1)


@pytest.fixture
def sources(tmp_path):
    return {source.id: source for source in drill_sources("city-soc", tmp_path)}


def outcome(shots: list[Shot], sources, rules: Snapshot) -> list[Outcome]:
    """One outcome for each source."""
    return [
        run_records(records, sources[name], rules, received=START_US + ARRIVES_US)
        for name in sources
        if (records := [shot.record for shot in shots if shot.source_id == name])
    ]


def alert_of(number: int, delta: AlertDelta) -> Alert:
    """What the state makes of a first delta."""
    at = START_US + ARRIVES_US
    own = {"id": number, "state": AlertState.NEW, "created": at, "updated": at}
    return Alert(**{name: getattr(delta, name) for name in AlertDelta.__struct_fields__}, **own)


def verdict(shots: list[Shot], sources, rules: Snapshot) -> Verdict:
    deltas = fold(outcome(shots, sources, rules))
    alerts = [alert_of(number, delta) for number, delta in enumerate(deltas)]
    return judge(expected(SCENARIO), first_shots(SHOTS), alerts)


def test_all_is_found_and_nothing_else(sources, own_rules: Snapshot) -> None:
    found = verdict(SHOTS, sources, own_rules)
    assert found.missed == []
    assert [alert.rule.title for alert in found.extra] == []
    assert found.exit_code == 0


@pytest.mark.parametrize("step", [step.id for step in SCENARIO.steps])
def test_step_fires_exactly_its_rules(step: str, sources, own_rules: Snapshot) -> None:
    fired = {
        f.rule_id for one in outcome([s for s in SHOTS if s.step == step], sources, own_rules) for f in one.findings
    }
    assert fired == {item.rule_id for item in expected(SCENARIO) if item.step == step}


@pytest.mark.parametrize("seed", range(5))
def test_background_is_quiet(seed: int, sources, own_rules: Snapshot) -> None:
    quiet = [shot for shot in plan(SCENARIO, START_US, seed) if not shot.step]
    fired = [own_rules.cards[f.rule_id].title for one in outcome(quiet, sources, own_rules) for f in one.findings]
    assert fired == []


def test_a_step_left_out_is_missed(sources, own_rules: Snapshot) -> None:
    found = verdict([shot for shot in SHOTS if shot.step != "tunnel"], sources, own_rules)
    assert [item.step for item in found.missed] == ["tunnel"]
    assert found.exit_code == 1


def test_every_record_is_understood(sources, own_rules: Snapshot) -> None:
    stats = [stat for one in outcome(SHOTS, sources, own_rules) for stat in one.stats]
    assert sum(stat.events for stat in stats) == len(SHOTS)
    assert [
        (stat.dataset, stat.unparsed, stat.time_flagged) for stat in stats if stat.unparsed or stat.time_flagged
    ] == []
    assert {stat.realm for stat in stats} == {"drill"}


def test_alerts_speak_both_languages(sources, own_rules: Snapshot) -> None:
    deltas = fold(outcome(SHOTS, sources, own_rules))
    assert [delta.rule.title for delta in deltas if not delta.rule.title_zh] == []
    assert all(set(msgspec.to_builtins(delta.group)) == set(delta.rule.group_by) for delta in deltas)
