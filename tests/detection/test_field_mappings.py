"""Mappings as data: which events a rule sees by them, under which names, and what is said about wrong ones."""

from pathlib import Path
from typing import Any

import pytest

from detection_rules.field_mappings import MAPPINGS, FieldMapping, read_mappings, shipped_mappings
from soc_model.problem import Problem
from soc_model.source import Logsource
from tests.detection.fakes import group, rule_data, ruleset, snapshot

PROCESS = {"product": "linux", "category": "process_creation"}
AUDITD = Logsource(product="linux", service="auditd")
EVENT = {"type": ["SYSCALL", "EXECVE"], "exe": "/usr/bin/nc", "cmdline": "nc -l 4444", "UID": "root"}


def fires(detection: dict[str, Any], event: dict[str, Any], logsource: Logsource = AUDITD, **stated: str) -> bool:
    """Whether a rule for Linux processes (or what is stated) fires on the event."""
    found = snapshot(rule_data(detection, stated or PROCESS)).engine.match(group([event], logsource))
    return bool(found[0])


def test_a_rule_for_processes_sees_the_audit_log() -> None:
    detection = {"sel": {"Image|endswith": "/nc", "CommandLine|contains": "4444", "User": "root"}}
    assert fires(detection, EVENT)
    assert not fires(detection, {**EVENT, "type": ["SYSCALL", "PATH"]})
    assert not fires(detection, EVENT, Logsource(product="linux", service="sshd"))


def test_a_rule_that_needs_what_the_events_cannot_have_is_not_for_them() -> None:
    rules = ruleset(rule_data({"sel": {"ParentImage|endswith": "/bash"}}, PROCESS))
    assert rules.unsourced([AUDITD]) == rules.rules
    assert rules.unsourced([Logsource(product="linux", service="sysmon")]) == []


def test_null_means_under_none_of_its_names() -> None:
    detection = {"sel": {"Image|endswith": "/nc", "User": None}}
    assert not fires(detection, EVENT)
    assert not fires(detection, {**EVENT, "UID": None, "uid": "0"})
    assert fires(detection, {**EVENT, "UID": None})


def test_a_reading_instead_of_the_rules_own() -> None:
    logsource = Logsource(product="azure", service="auditlogs")
    detection = {"sel": {"operationName": "x"}, "not": {"Category": "Policy"}, "condition": "sel and not not"}
    detection = {"sel": detection["sel"], "odd": detection["not"], "condition": "sel and not odd"}
    event = {"operationName": "x", "category": "AuditLogs", "properties.category": "Policy"}
    assert not fires(detection, event, logsource, product="azure", service="auditlogs")
    assert fires(detection, {**event, "properties.category": "User"}, logsource, product="azure", service="auditlogs")


def test_shipped_mappings_are_found_by_the_rules_logsource() -> None:
    found = shipped_mappings()
    assert sum(map(len, found.values())) == sum(len(read_mappings(path)) for path in MAPPINGS.glob("*.yml")) > 30
    assert all(one.rules == rules for rules, several in found.items() for one in several)


def test_fields_that_are_not_named_are_kept_or_none() -> None:
    linux = Logsource(product="linux")
    assert FieldMapping(rules=linux, logsource=linux).names("Image") == ("Image",)
    assert FieldMapping(rules=linux, logsource=linux, keep_others=False).names("Image") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b", "a list of mappings"),
        ("- {rules: {}}", "item 1.*must have 'rules' and 'events'"),
        ("- {rules: {}, events: {}, filds: {}}", "of other keys only"),
        ("- {rules: {produkt: x}, events: {}}", "produkt"),
        ("- {rules: {}, events: {}}\n- {rules: {}, events: {}, fields: {a: []}}", r"item 2: \[\] is no name"),
        ("- {rules: {}, events: {}, others: all}", "one of keep, none"),
        ("- {rules: {}, events: {}, when: {a|nonsense: b}}", "item 1"),
    ],
)
def test_wrong_mappings_are_told_with_their_place(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(Problem, match=said) as told:
        read_mappings(path)
    assert "wrong.yml" in str(told.value)
