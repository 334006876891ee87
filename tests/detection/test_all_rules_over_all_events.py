"""All SigmaHQ rules over all shared recordings, decoded by our formats: what fires is what the oracle says, no more.

The whole of it takes the better part of an hour, so it is a soak; ``FENGSUI_RECORDINGS`` names a part of it by what the
names of files contain. The core suite asks the same of some rules and events (``test_real_rules_and_events``). Events
that are equal in every field that any rule asks for are asked about once.
"""

import gzip
import os
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collectors.format import load_format
from detection_rules.library import Library
from detection_rules.snapshot import Snapshot
from soc_model.event import EventGroup
from soc_model.source import Logsource
from tests.detection.fakes import RECEIVED, group
from tests.detection.oracle import Oracle, holds

Recording = tuple[str, str, dict[str, Any], bytes]


def recordings(shared: Path) -> Iterator[Recording]:
    """(name, format, context, bytes) of each recording that a format of ours reads."""
    events = shared / "events"
    with tarfile.open(events / "evtx" / "evtx-attack-samples.tar.xz") as packed:
        for member in packed:
            data = packed.extractfile(member) if member.name.endswith(".evtx") else None
            if data is not None:
                yield member.name, "evtx", {}, data.read()
    for path in sorted((events / "otrf").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield f"{path.name}!{name}", "windows_json", {}, archive.read(name)
    for path in sorted((events / "zeek").glob("*.json.gz")):
        yield path.name, "zeek", {}, gzip.decompress(path.read_bytes())
    for name in ("OpenSSH_2k.log", "Linux_2k.log"):
        yield name, "syslog", {}, (events / "loghub" / name).read_bytes()


def groups_of(recording: Recording) -> list[EventGroup]:
    """The recording as our format reads it, every field of it."""
    _, name, context, data = recording
    form = load_format(name)
    found = form.cut(data, context, True)
    return form.parse(found.records, {**found.context, "received": RECEIVED}, lambda kind: None)


class Readings:
    """The oracle's condition trees of every rule, by the logsource of events."""

    def __init__(self, library: Library, snapshot: Snapshot) -> None:
        documents = {str(document.data["id"]): document.data for document in library.documents}
        self._oracles = [
            (number, Oracle(documents[rule.card.id]))
            for number, rule in enumerate(snapshot.rules)
            if rule.variants or not rule.needs
        ]
        self._trees: dict[Logsource, list[tuple[int, list[Any]]]] = {}

    def fire(self, logsource: Logsource, event: dict[str, Any]) -> tuple[int, ...]:
        """The numbers of the rules that fire, in order."""
        return tuple(n for n, trees in self._of(logsource) if any(holds(tree, event) for tree in trees))

    def _of(self, logsource: Logsource) -> list[tuple[int, list[Any]]]:
        if logsource not in self._trees:
            seen = (
                (n, [tree for stated, trees in one.readings if stated.covers(logsource) for tree in trees])
                for n, one in self._oracles
            )
            self._trees[logsource] = [(n, trees) for n, trees in seen if trees]
        return self._trees[logsource]


def check(snapshot: Snapshot, readings: Readings, found: Iterable[EventGroup], known: set[str]) -> int:
    """How many rules fired on the events not yet known; fails where the two differ."""
    fired = 0
    for one in found:
        wanted = snapshot.wanted(one.type)
        keys = [repr([(name, event.get(name)) for name in wanted or sorted(event)]) for event in one.fields]
        fresh = [n for n in range(len(one)) if n not in one.unparsed and f"{one.type}{keys[n]}" not in known]
        chosen = list({keys[n]: n for n in fresh}.values())
        known.update(f"{one.type}{keys[n]}" for n in chosen)
        few = group([one.fields[n] for n in chosen], one.type.logsource, constants=one.type.constants)
        few.type = one.type
        for event, rules in zip(few.fields, snapshot.engine.match(few), strict=True):
            assert rules == readings.fire(one.type.logsource, event), event
            fired += len(rules)
    return fired


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_all_rules_over_all_events(shared: Path, sigma_library: Library, sigma_snapshot: Snapshot) -> None:
    readings, known, fired = Readings(sigma_library, sigma_snapshot), set[str](), 0
    only = os.environ.get("FENGSUI_RECORDINGS", "")
    for recording in recordings(shared):
        if only in recording[0]:
            fired += check(sigma_snapshot, readings, groups_of(recording), known)
    assert fired or only
