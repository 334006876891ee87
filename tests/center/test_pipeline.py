"""Each record alone comes to the same as all of them at once, for every format; what is left raw is only that."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.cutting import Cutter
from collectors.format import format_names, load_format
from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.careful import NOBODY, Address, process_alone, process_raw
from soc_center.pipeline import process
from soc_model.chunk import Batch, Chunk, Digest, Oversize
from soc_model.layer import Layer
from soc_model.outcome import Outcome
from soc_model.source import Source

SAMPLES = Path(__file__).parents[1] / "collectors" / "samples"
CASES = [(name, path) for name in format_names() for path in sorted((SAMPLES / name).glob("*"))]
IDS = [f"{name}/{path.name}" for name, path in CASES]
RECEIVED = 1_772_500_000_000_000
RULES = """
title: A word
id: 3f0e7c1a-52d4-4d0e-9c57-0a3d1c5b7e22
level: low
logsource: {}
detection: {words: ['a'], condition: words}
"""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    rule = tmp_path_factory.mktemp("rules") / "word.yml"
    rule.write_text(RULES)
    return compile_snapshot(load_rules(read_documents([rule]).documents))


def batch_of(name: str, path: Path) -> Batch:
    """The sample twice, as two chunks; the first one's second record is of an oversize one."""
    cutter = Cutter(load_format(name), {})
    parts = cutter.feed(path.read_bytes(), final=True)
    records = [record for part in parts for record in part.records]
    oversize = {1: Oversize(length_bytes=9_999_999, digest=Digest(alg="sha256", hex="00"))}
    source = Source(id="s", name="s", transport="file", format=name, layer=Layer.HOST, unit="u")
    first = Chunk(
        source_id="s", stream="x", received=RECEIVED, format=name, records=records, context=cutter.context,
        oversize=oversize,
    )  # fmt: skip
    chunks = [first, msgspec.structs.replace(first, oversize={})]
    return Batch(offset=7, received=RECEIVED, sources={"s": source}, chunks=chunks)


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    found = [
        {**block.constants, **{name: values[i] for name, values in block.columns.items()}}
        for block in outcome.blocks
        for i in range(block.rows)
    ]
    present = [{name: value for name, value in row.items() if value is not None} for row in found]
    return sorted(present, key=repr_of)


def repr_of(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


def findings(outcome: Outcome) -> Counter[str]:
    return Counter(repr(finding) for finding in outcome.findings)


@pytest.mark.parametrize(("name", "path"), CASES, ids=IDS)
def test_each_record_alone_comes_to_the_same(name: str, path: Path, snapshot: Snapshot) -> None:
    batch = batch_of(name, path)
    *named, nobody, alone = process_alone(batch, snapshot, ())
    assert isinstance(alone, Outcome)
    at_once = process(batch, snapshot)
    assert named == [Address(i, n) for i, chunk in enumerate(batch.chunks) for n in range(len(chunk.records))]
    assert nobody == NOBODY
    assert rows(alone) == rows(at_once)
    assert findings(alone) == findings(at_once)
    assert sorted(map(repr, alone.stats)) == sorted(map(repr, at_once.stats))


@pytest.mark.parametrize("raw", [Address(0, 0), Address(0, 1), Address(1, 2)])
def test_a_record_left_raw_keeps_its_place(raw: Address, snapshot: Snapshot) -> None:
    batch = batch_of("syslog", next(path for name, path in CASES if name == "syslog"))
    *named, _, alone = process_alone(batch, snapshot, {raw})
    assert isinstance(alone, Outcome)
    assert raw not in named
    [kept] = [row for row in rows(alone) if "quarantined" in row.get("flags", "")]
    places = {(row["chunk"], row["byte"]): row["raw"] for row in rows(process(batch, snapshot))}
    assert places[kept["chunk"], kept["byte"]] == kept["raw"]
    assert kept["raw"].encode() == batch.chunks[raw.chunk].records[raw.record].rstrip(b"\n")
    assert ("truncated" in kept["flags"]) == (raw == Address(0, 1))


def test_a_raw_batch_keeps_every_record(snapshot: Snapshot) -> None:
    batch = batch_of("syslog", next(path for name, path in CASES if name == "syslog"))
    found = rows(process_raw(batch, snapshot))
    assert len(found) == sum(len(chunk.records) for chunk in batch.chunks)
    assert all("unparsed" in row["flags"] and "quarantined" in row["flags"] for row in found)
    assert sorted(row["event_id"] for row in found) == sorted(row["event_id"] for row in rows(process(batch, snapshot)))
