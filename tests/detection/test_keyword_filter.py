"""The search for keywords over whole groups: it asks for no more than it must, and changes no verdict."""

from typing import Any

import pytest

from tests.detection.fakes import group, rule_data, snapshot

CONDITIONS = ["kw", "sel and kw", "sel and not kw", "sel or kw", "1 of *", "not kw"]


def fired(detection: dict[str, Any], events: list[dict[str, Any]], *, hyperscan: bool = True) -> list[bool]:
    """Whether a rule of that detection fires on each event of one group."""
    return [bool(rules) for rules in snapshot(rule_data(detection), hyperscan=hyperscan).engine.match(group(events))]


def test_a_short_keyword_beside_a_long_one_is_not_searched_for() -> None:
    engine = snapshot(rule_data({"sel": {"|all": [":", "exploit"]}})).engine
    events = [{"F": "a: b"}, {"F": "an exploit: x"}, {"F": "an exploit"}]
    keywords = engine.plan(group(events).type).keywords
    assert [keywords.may_match([event]) for event in events] == [False, True, True]
    assert [bool(rules) for rules in engine.match(group(events))] == [False, True, False]


def test_a_keyword_that_keeps_a_rule_from_firing_is_searched_for() -> None:
    detection = {"kw": [":"], "long": ["exploit"], "condition": "long and not kw"}
    assert fired(detection, [{"F": "exploit"}, {"F": "exploit", "G": "a:b"}, {"G": ":"}]) == [True, False, False]


@pytest.mark.parametrize("hyperscan", [True, False])
@pytest.mark.parametrize("at", [0, 22, 24, 58, 98])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_one_event_of_many_is_found(condition: str, at: int, hyperscan: bool) -> None:
    detection = {"sel": {"G": "x"}, "kw": ["needle"], "condition": condition}
    events = [{"F": "hay", "G": "xy"[i % 2]} for i in range(100)]
    events[at]["F"] = "a Needle in it"
    alone = [fired(detection, [event], hyperscan=hyperscan)[0] for event in events]
    assert fired(detection, events, hyperscan=hyperscan) == alone
    assert len(set(alone)) == 2
