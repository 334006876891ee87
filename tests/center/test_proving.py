"""Self-proof: sources that send, fields that arrive, canaries that fired; and the job on a real center."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.intake import IntakeFull
from soc_center.canary import ID, canary_chunk, lay, take_canaries
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.job_place import JobPlace
from soc_center.jobs import prove_rules
from soc_center.proving import SeenFields, prove
from soc_center.settings import read_settings
from soc_model.chunk import RECORD_BYTES
from soc_model.job import Job
from soc_model.layer import Layer, Realm
from soc_model.rule_proof import Canary, ProofReport, RuleProof
from soc_model.scope import Scope
from soc_model.source import Logsource, Source
from soc_store.state import AlertFilter, State
from tests.detection.fakes import APP, group, rule_data, snapshot
from tests.running import KEY, Center, wait_for

RULES = [
    rule_data({"sel": {"F": "x", "G|contains": "y"}}, id="a0000000-0000-4000-8000-000000000001", level="high"),
    rule_data({"sel": ["word"]}, id="a0000000-0000-4000-8000-000000000002", level="high"),
    rule_data({"sel": {"Z": 1}}, {"product": "other"}, id="a0000000-0000-4000-8000-000000000003", level="high"),
]
SENDS = Source(
    id="s", name="s", transport="http", format="json", layer=Layer.HOST, unit="u", logsource=Logsource(product="app")
)


def proofs(*events: dict[str, Any], live: bool = True) -> list[RuleProof]:
    seen = SeenFields()
    if events:
        seen.add(group(list(events), APP))
    return list(prove(snapshot(*RULES), [SENDS] if live else [], seen, {RULES[0]["id"]: Canary.FIRED}))


def test_fields_that_no_event_had_are_named():
    one, two, three = proofs({"F": "1", "G": ""}, {"F": "2", "G": None})
    assert (one.live, one.seen, one.missing, one.proved) == (True, 2, ("G",), False)
    assert (two.missing, two.canary, two.proved) == ((), Canary.NONE, True)
    assert (three.live, three.seen, three.missing) == (False, 0, ())


def test_a_rule_is_proved_by_source_fields_and_canary_together():
    assert [one.proved for one in proofs({"F": "1", "G": "2"})] == [True, True, False]
    assert not any(one.proved for one in proofs({"F": "1", "G": "2"}, live=False))
    assert not any(one.proved for one in proofs())


@pytest.mark.parametrize(
    ("sample", "made"),
    [
        ({"format": "json", "record": {"a": 1}, "logsource": {"product": "p"}}, True),
        ({"format": "syslog", "record": "<13>x"}, True),
        ({"format": "json", "records": []}, False),
        ({"format": "json", "record": "x" * (RECORD_BYTES + 1)}, False),
    ],
)
def test_samples_that_can_be_sent_alone_are_canaries(sample, made):
    chunk = canary_chunk("r", sample, 7)
    assert (chunk is not None) is made
    if chunk is not None:
        assert (chunk.source_id, chunk.format, len(chunk.records)) == (ID, sample["format"], 1)
        assert chunk.context.get("logsource") == sample.get("logsource")


class FullOnce:
    """A way in that takes nothing the first time."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.full = True

    async def append(self, chunks: list[Any]) -> bool:
        if self.full:
            self.full = False
            raise IntakeFull
        self.taken += chunks
        return True

    def replayed(self, source_id: str, stream: str) -> bool:
        return False


def test_canaries_wait_while_the_intake_is_full_and_come_in_once(tmp_path: Path) -> None:
    chunk = canary_chunk("r", {"format": "json", "record": {"a": 1}}, 7)
    assert chunk is not None
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "0.canary").write_bytes(b"no flight")
    lay(tmp_path / "inbox", [chunk], 9)
    way, told = FullOnce(), list[str]()
    for _ in range(3):
        asyncio.run(take_canaries(tmp_path / "inbox", way, told.append))
    assert (way.taken, len(told), list((tmp_path / "inbox").iterdir())) == ([chunk], 1, [])


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    key = hashlib.sha256(KEY.encode()).hexdigest()
    source = {"id": "web", "name": "web", "transport": "http", "format": "json", "unit": "unit", "layer": "host"}
    stated = {"logsource": {"product": "killtest"}, "trust": "key", "key_sha256": key}
    center = Center(tmp_path, [{**source, **stated}], archive={"seal_s": 0.5})
    center.start()
    wait_for(lambda: center.gauge("detect") and center.gauge("archiver") and center.gauge("serve"), 60, "running")
    yield center
    center.stop()


@pytest.mark.timeout(240)
def test_every_rule_of_ours_fires_on_its_canary_in_realm_test_only(center: Center) -> None:
    assert center.send("web", [json.dumps({"@timestamp": now_us() / 1e6, "marker": "other"}).encode()]) == 200
    folder = DataFolder(center.data)
    wait_for(lambda: center.gauge("archiver")["values"].get("sealed_through", 0) >= 1, 30, "sealed")
    told = prove_rules.run(
        Job(id=1, kind="prove_rules"), JobPlace(folder=folder, settings=read_settings(folder.settings), now=now_us)
    )
    assert (told["silent"], told["canary_silent"]) == ([], 0)
    assert told["canary_fired"] >= 20
    report = msgspec.json.decode(folder.rule_proofs.read_bytes(), type=ProofReport)
    assert [one.rule_id for one in report.proofs if one.proved] == ["3f0e7c1a-52d4-4d0e-9c57-0a3d1c5b7e21"]
    state = State.open(folder.state_url)
    assert state.counts(Scope(units=None, realms=frozenset({Realm.LIVE})), AlertFilter()).total == 0
    state.close()
