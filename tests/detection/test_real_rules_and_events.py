"""All SigmaHQ rules and the shared recordings: what loads, what does not and why, and that the oracle agrees."""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evtx import PyEvtxParser

from detection_rules.library import Library
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_model.event import EventGroup, EventType
from soc_model.source import Logsource
from tests.detection.fakes import group
from tests.detection.oracle import Oracle, holds

EVTX = "events/evtx/evtx-attack-samples.tar.xz"
FILES = 60
EVENTS_OF_A_TYPE = 3
OTHERS = 12


def test_all_sigma_rules_load(sigma_library: Library, sigma_snapshot: Snapshot) -> None:
    assert len(sigma_snapshot.rules) == len(sigma_library.documents) > 1000
    assert sigma_snapshot.refused == []


def test_those_that_wait_for_a_list_of_the_site_say_so(sigma_snapshot: Snapshot) -> None:
    waiting = [rule for rule in sigma_snapshot.rules if rule.needs]
    silent = [rule for rule in sigma_snapshot.rules if not rule.variants]
    assert 20 < len(waiting) < 100
    assert all(rule.needs for rule in silent)


def test_rules_for_which_nothing_is_collected_are_told(sigma_library: Library) -> None:
    loaded = load_rules(sigma_library.documents)
    silent = loaded.unsourced(
        [Logsource(product="windows", service="security"), Logsource(product="linux", service="sshd")]
    )
    assert 0 < len(silent) < len(loaded.rules) / 2
    assert not any(rule.logsource.product == "windows" and rule.logsource.service == "security" for rule in silent)


def recorded(shared: Path) -> Iterator[dict[str, Any]]:
    """Events of the first files of the attack samples as flat fields: System attributes, EventData, UserData."""
    with tarfile.open(shared / EVTX) as packed:
        members = sorted((one for one in packed if one.name.endswith(".evtx")), key=lambda one: one.name)
        for member in members[:: max(1, len(members) // FILES)]:
            data = packed.extractfile(member)
            assert data is not None
            for record in PyEvtxParser(io.BytesIO(data.read())).records_json():
                yield flat(json.loads(record["data"])["Event"])


def flat(event: dict[str, Any]) -> dict[str, Any]:
    """One event as fields under Sigma's names."""
    system = event["System"]
    code = system["EventID"]
    found = {
        "Provider_Name": system["Provider"]["#attributes"]["Name"],
        "EventID": code["#text"] if isinstance(code, dict) else code,
        "Channel": system["Channel"],
        "Computer": system["Computer"],
    }
    data = event.get("EventData") or next(iter((event.get("UserData") or {"": {}}).values())) or {}
    return {name.replace(" ", ""): plain(value) for name, value in data.items() if name != "#attributes"} | found


def plain(value: Any) -> Any:
    """A value as the engine is given it."""
    if isinstance(value, dict):
        value = value.get("#text", str(value))
    return value if not isinstance(value, list) or all(isinstance(one, str) for one in value) else str(value)


def grouped(events: Iterator[dict[str, Any]]) -> list[EventGroup]:
    """Groups as a Windows format makes them."""
    members: dict[EventType, list[dict[str, Any]]] = {}
    for event in events:
        constants = tuple((name, str(event[name])) for name in ("Channel", "EventID", "Provider_Name"))
        members.setdefault(EventType("windows", Logsource(product="windows"), constants), []).append(event)
    return [group(found, kind.logsource, constants=kind.constants) for kind, found in members.items()]


def readings_of(library: Library, snapshot: Snapshot) -> list[list[Any]]:
    """The oracle's condition trees of each rule that sees Windows events, by rule number."""
    documents = {str(document.data["id"]): document.data for document in library.documents}
    rules = [documents[rule.card.id] for rule in snapshot.rules]
    seen = Logsource(product="windows")
    return [
        [tree for stated, trees in Oracle(rule).readings if stated.covers(seen) for tree in trees] for rule in rules
    ]


def test_engine_and_oracle_agree_on_recorded_attacks(
    shared: Path, sigma_library: Library, sigma_snapshot: Snapshot
) -> None:
    groups = grouped(recorded(shared))
    hits = [sigma_snapshot.engine.match(one) for one in groups]
    fired_by = {sigma_snapshot.rules[number].card.id for found in hits for rules in found for number in rules}
    firing = [document for document in sigma_library.documents if document.data["id"] in fired_by][::2]
    others = [document for document in sigma_library.documents if document.data["id"] not in fired_by][::OTHERS]
    some = Library(documents=firing + others, refused=[])
    compiled = compile_snapshot(load_rules(some.documents))
    trees = readings_of(some, compiled)
    fired = 0
    for one, found in zip(groups, hits, strict=True):
        telling = sorted(range(len(one)), key=lambda index: -len(found[index]))[:EVENTS_OF_A_TYPE]
        few = group([one.fields[index] for index in telling], one.type.logsource, constants=one.type.constants)
        for event, rules in zip(few.fields, compiled.engine.match(few), strict=True):
            assert rules == tuple(n for n, ours in enumerate(trees) if any(holds(tree, event) for tree in ours))
            fired += len(rules)
    assert fired > 30


def test_recorded_attacks_fire_many_rules(shared: Path, sigma_snapshot: Snapshot) -> None:
    engine = sigma_snapshot.engine
    hits = Counter(rule for one in grouped(recorded(shared)) for rules in engine.match(one) for rule in rules)
    assert len(hits) > 100
    assert engine.counters().events > 500
