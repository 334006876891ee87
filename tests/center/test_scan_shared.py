"""fengsui scan over real attacks with all SigmaHQ rules: every file read, every rule evaluated or named and why."""

import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evtx import PyEvtxParser

KEYS = {"rule_id", "title", "level", "time", "event_id", "source", "record", "matched"}


@pytest.fixture(scope="module")
def attacks(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evtx")
    with tarfile.open(shared / "events" / "evtx" / "evtx-attack-samples.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def scanned(shared: Path, attacks: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Scanned]":
    out = tmp_path_factory.mktemp("out") / "hits.ndjson"
    rules = shared / "rules" / "sigma_all_rules.zip"
    command = [sys.executable, "-m", "soc_center", "scan", str(attacks), "--rules", str(rules), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    yield Scanned(done.returncode, done.stderr, [json.loads(line) for line in out.read_text().splitlines()])


class Scanned:
    """What one scan said and found."""

    def __init__(self, code: int, told: str, hits: list[dict[str, Any]]) -> None:
        self.code, self.told, self.hits = code, told, hits


@pytest.mark.timeout(300)
def test_every_file_is_read_to_its_last_event(scanned: Scanned, attacks: Path) -> None:
    files = list(attacks.rglob("*.evtx"))
    events = sum(1 for path in files for _ in PyEvtxParser(str(path)).records())
    assert len(files) == 277
    assert f"{len(files)} files, {events} events" in scanned.told
    assert "not read" not in scanned.told and "unparsed" not in scanned.told
    assert scanned.code == 1


@pytest.mark.timeout(300)
def test_every_rule_is_evaluated_or_listed_with_its_reason(scanned: Scanned, shared: Path) -> None:
    with zipfile.ZipFile(shared / "rules" / "sigma_all_rules.zip") as archive:
        rules = sum(name.endswith(".yml") for name in archive.namelist())
    counts = next(line for line in scanned.told.splitlines() if "rules loaded" in line)
    loaded, refused = int(counts.split()[0]), int(counts.split(", ")[1].split()[0])
    listed = [line for line in scanned.told.splitlines() if line.startswith("  not evaluated ")]
    assert loaded + refused == rules
    assert len(listed) == refused
    assert all(".yml:" in line for line in listed)


@pytest.mark.timeout(300)
def test_hits_have_all_their_keys_and_point_at_the_record(scanned: Scanned) -> None:
    assert len(scanned.hits) > 1000
    assert all(set(hit) >= KEYS and hit["record"] > 0 and hit["matched"] for hit in scanned.hits)
    assert len({(hit["rule_id"], hit["event_id"], hit["source"], hit["record"]) for hit in scanned.hits}) == len(
        scanned.hits
    )
    assert {hit["level"] for hit in scanned.hits} >= {"low", "medium", "high", "critical"}
