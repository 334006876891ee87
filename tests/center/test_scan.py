"""fengsui scan: one line for one rule on one event, every file accounted for, exit status that can be used."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

RULE = """
title: Marked
id: 9d4f5d0e-0d0b-4a55-8b8a-1f5c7f7f2b11
status: test
level: high
logsource: {product: windows, service: security}
detection:
    marked: {EventID: 4625, TargetUserName|startswith: adm}
    condition: marked
"""
BROKEN = "title: broken\nid: x\ndetection: [\n"


def event(user: str, record: int) -> str:
    return json.dumps(
        {
            "Channel": "Security",
            "EventID": 4625,
            "TargetUserName": user,
            "Hostname": "ws-1",
            "EventRecordID": record,
            "@timestamp": "2020-01-02T03:04:05.000Z",
        }
    )


LINES = [event("admin", 1), event("bob", 2), "{broken", event("=ADM()", 4), event("ADMINISTRATOR", 5)]


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "soc_center", "scan", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "marked.yml").write_text(RULE)
    (folder / "broken.yml").write_text(BROKEN)
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.json").write_text("\n".join(LINES) + "\n")
    return folder


def test_hits_name_rule_event_and_line(rules: Path, logs: Path, tmp_path: Path) -> None:
    out = tmp_path / "hits.ndjson"
    done = run(logs, "--rules", rules, "--out", out)
    hits = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(hit["record"], hit["title"], hit["level"]) for hit in hits] == [
        (1, "Marked", "high"),
        (5, "Marked", "high"),
    ]
    assert {hit["time"] for hit in hits} == {"2020-01-02T03:04:05.000000Z"}
    assert hits[0]["source"] == str(logs / "a.json")
    assert hits[0]["matched"]["TargetUserName"] == "admin"
    assert len({hit["event_id"] for hit in hits}) == 2
    assert done.returncode == 1


def test_a_refused_rule_and_an_unparsed_record_are_named(rules: Path, logs: Path) -> None:
    told = run(logs, "--rules", rules).stderr.replace("\n", " ")
    assert f"{rules / 'broken.yml'}:" in told
    assert "1 rules loaded, 1 not evaluated" in told
    assert f"unparsed {logs / 'a.json'}: 1 records, first record 3," in told


def test_cells_of_csv_are_never_formulas(rules: Path, logs: Path, tmp_path: Path) -> None:
    (rules / "marked.yml").write_text(RULE.replace("startswith: adm", "contains: adm").replace("Marked", "=Marked"))
    out = tmp_path / "hits.csv"
    run(logs, "--rules", rules, "--out", out)
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"] for row in rows] == ["'=Marked"] * 3


def test_packed_files_are_read(rules: Path, tmp_path: Path) -> None:
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(event("admin", 1).encode()))
    assert run(packed, "--rules", rules).returncode == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [(event("bob", 1).encode(), 0), (bytes(range(256)) * 40, 3), (b"\x1f\x8bnot gzip", 3), (b"", 0)],
)
def test_the_exit_status_says_how_it_went(rules: Path, tmp_path: Path, content: bytes, code: int) -> None:
    path = tmp_path / "input"
    path.write_bytes(content)
    done = run(path, "--rules", rules)
    assert done.returncode == code, done.stderr
    assert ("not read" in done.stderr) == (code == 3)


@pytest.mark.parametrize(
    "wrong", [("/nowhere.log",), (".", "--format", "runes"), (".", "--out", "hits.xlsx"), (".", "--rules", "/nowhere")]
)
def test_wrong_usage_is_one_line_and_exit_2(wrong: tuple[str, ...]) -> None:
    done = run(*wrong)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("fengsui: ")
