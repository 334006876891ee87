"""Documents to rules: what is refused and why, what is counted, and how rules are mapped to Windows events."""

from typing import Any

import pytest

from detection_rules.ruleset import load_rules
from detection_rules.snapshot import compile_snapshot
from soc_model.layer import Level
from soc_model.source import Logsource
from tests.detection.fakes import document, group, rule_data, ruleset, snapshot

UUID = "929a690e-bef0-4204-a928-ef5e620d6fcc"
SYSMON = "Microsoft-Windows-Sysmon/Operational"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"title": "g", "action": "global"}, "collections"),
        (rule_data({"sel": {"F|base64offset": "a"}}), "single byte"),
        (rule_data({"sel": {"F|re|contains": ""}}), "malformed"),
        (rule_data({"sel": {"F|nonsense": "x"}}), "sel: F|nonsense: unknown modifier 'nonsense'"),
        (rule_data({"sel": {"F|re": "("}}), "F|re"),
        (rule_data({"sel": {"F|re": "(?=(a+)+)b"}}), "backtracking"),
        (rule_data({"sel": {"F|re": "[[a]"}}), "nested set"),
        (rule_data({"sel": {"F|cidr": "10.0.0.1/8"}}), "Invalid CIDR"),
        (rule_data({"sel": {"F|gt": "five"}}), "F|gt"),
        (rule_data({"sel": {"F|exists": "maybe"}}), "F|exists"),
        (rule_data({"sel": {"F": {"nested": 1}}}), "neither text"),
        (rule_data({"sel": {"F|contains|windash": "-a -b -c -d -e -f"}}), "dashes"),
        (rule_data({"sel": {"F|base64": "a*b"}}), "wildcards"),
        (rule_data({"sel": {"|fieldref": "G"}}), "FieldReference cannot be searched for in all fields"),
        (rule_data({"sel": [None]}), "all fields"),
        (rule_data({"sel": {"F": "x"}, "condition": "sel and other"}), "detection 'other' is not defined"),
        (rule_data({"sel": {"F": "x"}, "condition": "1 of other*"}), "'1 of other*' matches no detection"),
        (rule_data({"sel": {"F": "x"}, "condition": "sel | count() > 3"}), "pipe"),
        (rule_data({"sel": {"F": "x"}, "condition": "2 of sel*"}), "'2' of is not part of Sigma"),
        (rule_data({"sel": {"F": "x"}, "condition": "(sel"}), "bracket"),
        (rule_data({"sel": {"F": "x"}, "condition": "sel sel"}), "unexpected 'sel'"),
        (rule_data({"sel": {"F": "x"}, "condition": "sel and"}), "operand is missing"),
        (rule_data({"sel": {"F": "x"}, "condition": "(" * 100 + "sel"}), "nested more than"),
        (rule_data({"sel": {"F": "x"}, "condition": "not " * 5000 + "sel"}), "nested more than"),
        (rule_data({"sel": {"F": "x"}, "condition": None}), "no condition"),
        (rule_data({"condition": "sel"}), "no detections"),
        (rule_data({"sel": {}}), "empty"),
        ({"title": "t", "logsource": {"product": "a"}}, "no detection"),
        ({"title": "t", "detection": {"sel": ["x"], "condition": "sel"}}, "no logsource"),
        ({**rule_data({"sel": ["x"]}), "logsource": {"definition": "x"}}, "log source can't be empty"),
        ({**rule_data({"sel": ["x"]}), "title": None}, "title"),
        (rule_data({"sel": ["x"]}, id="not-a-uuid"), "UUID"),
        (rule_data({"sel": ["x"]}, level="grave"), "level"),
        (rule_data({"sel": ["x"]}, taxonomy="other"), "taxonomy"),
        (rule_data({"sel": ["x"]}, fengsui={"group_by": "host.name"}), "fengsui.group_by"),
        (rule_data({"sel": ["x"]}, fengsui=3), "fengsui"),
        (rule_data({"sel": ["x"]}, tags="attack.t1059"), "tags"),
    ],
)
def test_what_is_refused_is_refused_with_its_place_and_reason(data: dict[str, Any], reason: str) -> None:
    loaded = load_rules([document(data, line=12)])
    assert loaded.rules == []
    [refused] = loaded.refused
    assert (refused.path, refused.line) == ("rules.yml", 12)
    assert reason in refused.reason
    assert refused.title == (data["title"] or "")


def test_nothing_is_left_out_silently() -> None:
    documents = [
        document(rule_data({"sel": ["x"]}, level="low", title="low"), 1),
        document(rule_data({"sel": ["x"]}, level="high", title="high"), 2),
        document({"title": "bad"}, 3),
    ]
    loaded = load_rules(documents, min_level=Level.MEDIUM)
    assert (len(loaded.rules), len(loaded.refused), loaded.below_level) == (1, 1, 1)


def test_an_id_belongs_to_the_first_rule_that_has_it() -> None:
    loaded = ruleset(rule_data({"sel": ["x"]}, id=UUID), rule_data({"sel": ["y"]}, id=UUID))
    assert len(loaded.rules) == 1
    assert loaded.refused[0].reason == "its id is taken by rules.yml:1"
    assert loaded.refused[0].rule_id == UUID


def test_documents_that_come_in_twice_are_one_rule() -> None:
    twice = [document(rule_data({"sel": ["x"]}))] * 2
    loaded = load_rules(twice)
    assert (len(loaded.rules), len(loaded.refused)) == (1, 1)


def test_the_card_says_what_people_need() -> None:
    more = {
        "id": UUID,
        "level": "high",
        "status": "test",
        "author": "us",
        "description": "why",
        "tags": ["attack.t1059.001"],
    }
    custom = {"title_zh": "规则", "group_by": ["host.name", "Image"]}
    [rule] = ruleset(rule_data({"sel": ["x"]}, fengsui=custom, falsepositives=["none"], references=["r"], **more)).rules
    card = rule.card
    assert (card.id, card.level, card.status, card.title_zh) == (UUID, Level.HIGH, "test", "规则")
    assert (card.tags, card.group_by) == (("attack.t1059.001",), ("host.name", "Image"))
    assert (card.description, card.author, card.falsepositives, card.references) == ("why", "us", ("none",), ("r",))


def windows(fields: dict[str, Any], **constants: str) -> Any:
    pairs = tuple(sorted(constants.items()))
    return group([{**constants, **fields}], Logsource(product="windows", service="x"), constants=pairs)


#: (category, event, channel, event id, whether a rule on Image and CommandLine in that category fires)
PROCESS = {"Image": r"C:\a\cmd.exe", "CommandLine": "cmd /c evil"}
AUDIT = {"NewProcessName": r"C:\a\cmd.exe", "CommandLine": "cmd /c evil"}


@pytest.mark.parametrize(
    ("fields", "channel", "event_id", "expected"),
    [
        (PROCESS, SYSMON, "1", True),
        (PROCESS, SYSMON, "7", False),
        (PROCESS, "Security", "1", False),
        (AUDIT, "Security", "4688", True),
        (PROCESS, "Security", "4688", False),
        (AUDIT, SYSMON, "1", False),
    ],
)
def test_process_creation_is_sysmon_1_and_security_4688(
    fields: dict[str, Any], channel: str, event_id: str, expected: bool
) -> None:
    detection = {"sel": {"Image|endswith": r"\cmd.exe", "CommandLine|contains": "EVIL"}}
    compiled = snapshot(rule_data(detection, {"product": "windows", "category": "process_creation"}))
    assert bool(compiled.engine.match(windows(fields, Channel=channel, EventID=event_id))[0]) is expected


def test_a_registry_rule_reads_audit_4657_unless_it_asks_what_4657_has_not() -> None:
    logsource = {"product": "windows", "category": "registry_set"}
    compiled = snapshot(
        rule_data({"sel": {"TargetObject|contains": "Run", "Details": "evil"}}, logsource),
        rule_data({"sel": {"TargetObject|contains": "Run", "EventType": "SetValue"}}, logsource),
    )
    fields = {"ObjectName": r"\Run", "NewValue": "evil", "OperationType": "Existing registry value modified"}
    assert compiled.engine.match(windows(fields, Channel="Security", EventID="4657")) == [(0,)]


def test_a_service_is_a_channel_and_an_event_that_carries_its_category_is_taken_at_its_word() -> None:
    service = rule_data({"sel": {"EventID": 1102}}, {"product": "windows", "service": "security"})
    category = rule_data({"sel": {"Image": "x"}}, {"product": "windows", "category": "process_creation"})
    compiled = snapshot(service, category)
    assert compiled.engine.match(windows({}, Channel="Security", EventID="1102")) == [(0,)]
    own = Logsource(product="windows", category="process_creation", service="other")
    assert compiled.engine.match(group([{"Image": "X"}], own)) == [(1,)]


def test_rules_without_a_source_are_told() -> None:
    loaded = ruleset(rule_data({"sel": ["x"]}), rule_data({"sel": ["x"]}, {"product": "mainframe"}))
    assert [rule.logsource.product for rule in loaded.unsourced([Logsource(product="app", service="y")])] == [
        "mainframe"
    ]


def test_the_snapshot_id_is_its_content() -> None:
    one, other = rule_data({"sel": ["x"]}), rule_data({"sel": ["y"]})
    first, again = compile_snapshot(ruleset(one, other)), compile_snapshot(ruleset(other, one))
    assert first.id == again.id
    assert first.id != compile_snapshot(ruleset(one)).id


def test_wanted_names_what_the_rules_left_open_ask_for() -> None:
    logsource = {"product": "windows", "category": "process_creation"}
    compiled = snapshot(
        rule_data({"sel": {"Image": "a", "User|fieldref": "ParentUser"}}, logsource, fengsui={"group_by": ["Company"]}),
        rule_data({"sel": {"F": "a"}}, {"product": "windows", "service": "system"}),
        rule_data({"sel": ["keyword"]}, {"product": "windows", "service": "application"}),
    )
    wanted = compiled.wanted(windows({}, Channel=SYSMON, EventID="1").type)
    assert wanted == {"Image", "User", "ParentUser", "Company", "Channel", "EventID"}
    assert compiled.wanted(windows({}, Channel="Application", EventID="1").type) is None
