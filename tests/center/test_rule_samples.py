"""Samples of rule files that are several records: correlations run over them as the center would run them."""

import pytest
import yaml

from detection_rules.rule import RuleDocument
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.pipeline import run_sample

RULES = """
title: Guessed
id: 11111111-0000-4000-8000-000000000001
correlation:
    type: temporal_ordered
    rules: [many_failed, accepted]
    group-by: [host.name]
    timespan: 10m
level: high
---
title: Many failed
id: 11111111-0000-4000-8000-000000000002
name: many_failed
correlation:
    type: event_count
    rules: [failed]
    group-by: [host.name]
    timespan: 1m
    condition: {gte: 3}
level: medium
---
title: Failed
id: 11111111-0000-4000-8000-000000000003
name: failed
logsource: {product: linux, service: sshd}
detection: {selection: {message|contains: Failed password}, condition: selection}
level: low
---
title: Accepted
id: 11111111-0000-4000-8000-000000000004
name: accepted
logsource: {product: linux, service: sshd}
detection: {selection: {message|contains: Accepted password}, condition: selection}
level: low
"""
GUESSED = "11111111-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def rules() -> Snapshot:
    documents = [
        RuleDocument(path="guessed.yml", line=line, text=repr(data), data=data)
        for line, data in enumerate(yaml.safe_load_all(RULES), 1)
    ]
    loaded = load_rules(documents)
    assert not loaded.refused
    return compile_snapshot(loaded)


def said(seconds: int, what: str, host: str = "oa-01") -> str:
    return f"<86>Sep 21 10:00:{seconds:02} {host} sshd[24000]: {what} password for li from 10.8.3.12 port 50000 ssh2"


@pytest.mark.parametrize(
    ("records", "fired"),
    [
        ([said(1, "Failed"), said(2, "Failed"), said(3, "Failed"), said(9, "Accepted")], {GUESSED}),
        ([said(9, "Failed"), said(9, "Failed"), said(9, "Failed"), said(3, "Accepted")], set()),
        ([said(1, "Failed"), said(2, "Failed"), said(9, "Accepted")], set()),
        ([said(1, "Failed"), said(2, "Failed"), said(3, "Failed", "oa-02"), said(9, "Accepted")], set()),
        ([said(1, "Failed"), said(2, "Failed"), said(3, "Failed")], set()),
    ],
)
def test_records_in_order_run_through_correlations(rules: Snapshot, records: list[str], fired: set[str]) -> None:
    assert run_sample({"format": "syslog", "records": records}, rules) == fired


def test_times_are_those_of_the_records_however_old(rules: Snapshot) -> None:
    old = [one.replace("Sep 21", "Jan  2") for one in (said(1, "Accepted"), *(said(n, "Failed") for n in (3, 4, 5)))]
    assert run_sample({"format": "syslog", "records": old}, rules) == set()


def test_one_record_fires_no_base_rule_by_itself(rules: Snapshot) -> None:
    assert run_sample({"format": "syslog", "record": said(1, "Failed")}, rules) == set()
