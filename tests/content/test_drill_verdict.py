"""The verdict: found, missed and extra, told in both languages."""

from typing import Any

import msgspec
import pytest

from soc_center.drill.campaign import Expectation, expected, first_shots, plan
from soc_center.drill.scenario import load_scenario
from soc_center.drill.verdict import Verdict, judge, report
from soc_model.alert import Alert, AlertState
from soc_model.finding import RuleCard
from soc_model.layer import Layer, Level, Realm

SCENARIO = load_scenario()
START_US = 1_790_000_000_000_000
BEGAN = first_shots(plan(SCENARIO, START_US, 1))
EXPECTED = expected(SCENARIO)


def alert_for(item: Expectation, number: int, **changes: Any) -> Alert:
    """The alert that the expectation asks for, half a second after its step."""
    at = BEGAN[item.step]
    card = RuleCard(id=item.rule_id, title="A title", title_zh="标题", level=Level.HIGH, content_sha256="0" * 64)
    alert = Alert(
        id=number,
        key=f"{number:032x}",
        rule=card,
        group={},
        level=Level.HIGH,
        layer=item.layer,
        unit="city-soc",
        realm=Realm.DRILL,
        source_id="drill-host",
        state=AlertState.NEW,
        count=1,
        first_seen=at,
        last_seen=at,
        created=at + 500_000,
        updated=at + 500_000,
        first_offset=number,
        last_offset=number,
        entities={"host.name": ["other", item.entity]},
        matched={},
        sample_event_id="0" * 32,
    )
    return msgspec.structs.replace(alert, **changes)


def judged(*alerts: Alert) -> Verdict:
    return judge(EXPECTED, BEGAN, alerts)


def test_all_found() -> None:
    verdict = judged(*(alert_for(item, number) for number, item in enumerate(EXPECTED)))
    assert [one.expectation for one in verdict.found] == EXPECTED
    assert {one.seconds for one in verdict.found} == {0.5}
    assert (verdict.missed, verdict.extra, verdict.exit_code) == ([], [], 0)


def test_nothing_found() -> None:
    verdict = judged()
    assert verdict.missed == EXPECTED
    assert verdict.exit_code == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"realm": Realm.LIVE},
        {"layer": Layer.PLATFORM},
        {"entities": {"host.name": ["another"]}},
        {"last_seen": START_US - 3_600_000_000},
        {"updated": START_US - 3_600_000_000},
    ],
    ids=str,
)
def test_what_is_not_the_alert_does_not_count(changes: dict[str, Any]) -> None:
    item = next(item for item in EXPECTED if item.layer is Layer.HOST)
    assert item in judged(alert_for(item, 1, **changes)).missed


def test_seconds_count_from_the_record_that_made_the_alert() -> None:
    item = next(item for item in EXPECTED if item.step == "guessing")
    last = BEGAN[item.step] + 750_000
    late = alert_for(item, 1, first_seen=last, last_seen=last, created=last + 100_000, updated=last + 100_000)
    assert [one.seconds for one in judged(late).found] == [0.1]


def test_an_alert_of_an_earlier_drill_counts_from_its_update() -> None:
    item = EXPECTED[3]
    old = alert_for(item, 1, created=START_US - 3_600_000_000, updated=BEGAN[item.step] + 700_000, count=2)
    assert [one.seconds for one in judged(old).found] == [0.7]


def test_whole_seconds_of_access_logs_are_no_miss() -> None:
    item = EXPECTED[0]
    assert judged(alert_for(item, 1, last_seen=BEGAN[item.step] // 1_000_000 * 1_000_000)).found


def test_unexpected_alerts_are_extra_unless_they_are_old_or_real() -> None:
    stranger = alert_for(EXPECTED[0], 9, rule=RuleCard(id="x", title="X", level=Level.LOW, content_sha256=""))
    old = msgspec.structs.replace(stranger, id=10, last_seen=START_US - 3_600_000_000)
    live = msgspec.structs.replace(stranger, id=11, realm=Realm.LIVE)
    assert judged(stranger, old, live).extra == [stranger]


def test_a_second_alert_of_an_expected_kind_is_not_extra() -> None:
    both = judged(alert_for(EXPECTED[2], 1), alert_for(EXPECTED[2], 2))
    assert (len(both.found), both.extra) == (1, [])


@pytest.mark.parametrize(
    ("language", "words"), [("zh", ["发现", "漏报", "额外", "标题"]), ("en", ["MISSED", "extra", "A title"])]
)
def test_report(language: str, words: list[str]) -> None:
    stranger = alert_for(EXPECTED[1], 9, rule=RuleCard(id="x", title="X", level=Level.LOW, content_sha256=""))
    text = report(judged(alert_for(EXPECTED[0], 1), stranger), SCENARIO, language)
    assert len(text.splitlines()) == 1 + len(EXPECTED) + 1
    assert [word for word in words if word not in text] == []
    assert EXPECTED[5].rule_id in text
