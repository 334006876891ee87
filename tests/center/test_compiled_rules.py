"""Rules compiled in a process of their own: kept by content, and what costs too much refused by name."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc_center.compiled_rules import KEPT, CompiledRules, content_key
from soc_center.rule_compile_order import Caps
from soc_center.rule_compiler import compile_rules
from soc_model.layer import Level
from soc_model.problem import Problem

ROOT = Path(__file__).resolve().parents[2]
#: Hyperscan works on it for minutes, though no part of it looks unusual to a check of its tree.
HOSTILE = "a.{0,9000}b.{0,9000}c"
QUICK = Caps(all_s=60, document_s=20, database_s=1.5, expression_s=1.0)


def write_rule(folder: Path, name: str, detection: Any, **more: Any) -> Path:
    """A rule as a file."""
    rule = {
        "title": name,
        "id": f"00000000-0000-4000-8000-{abs(hash(name)) % 10**12:012}",
        "logsource": {"product": "app"},
        "detection": {"sel": detection, "condition": "sel"},
        **more,
    }
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(rule))
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder of two rules."""
    folder = tmp_path / "rules"
    folder.mkdir()
    write_rule(folder, "good", {"F|re": "x[0-9]+y", "G": "b"}, level="high")
    write_rule(folder, "plain", {"F": "c"}, level="low")
    return folder


def test_rules_are_kept_and_not_compiled_again(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = CompiledRules(tmp_path / "compiled")
    first = kept.get([rules], Level.LOW)
    assert [rule.card.title for rule in first.ruleset.rules] == ["good", "plain"]
    monkeypatch.setattr(sys, "executable", "/nonexistent")  # no process can be started any more
    second = kept.get([rules], Level.LOW)
    assert second == first
    assert second.snapshot().id == first.snapshot().id
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "compiled").iterdir()] == [0o600]


def test_detection_starts_from_what_is_kept_without_reading_a_rule(rules: Path, tmp_path: Path) -> None:
    CompiledRules(tmp_path / "compiled").get([rules], Level.LOW)
    script = f"""
import sys
from pathlib import Path
import soc_center.processes.detect
from soc_center.compiled_rules import CompiledRules
from soc_model.layer import Level
kept = CompiledRules(Path({str(tmp_path / "compiled")!r})).get([Path({str(rules)!r})], Level.LOW)
kept.snapshot().warm()
assert len(kept.ruleset.rules) == 2
print([name for name in sys.modules if name.split(".")[0] == "sigma" or name.endswith(".ruleset")])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_damaged_or_foreign_file_is_made_anew(rules: Path, tmp_path: Path) -> None:
    kept, folder = CompiledRules(tmp_path / "compiled"), tmp_path / "compiled"
    first = kept.get([rules], Level.LOW)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert kept.get([rules], Level.LOW) == first
    assert path.read_bytes() == whole
    path.write_bytes(b"something else")
    assert kept.get([rules], Level.LOW) == first


def test_the_key_is_of_everything_that_matters(rules: Path) -> None:
    first = content_key([rules], Level.LOW)
    assert content_key([rules], Level.LOW) == first
    assert content_key([rules], Level.HIGH) != first
    assert content_key([rules, rules], Level.LOW) != first
    write_rule(rules, "plain", {"F": "d"}, level="low")
    changed = content_key([rules], Level.LOW)
    assert changed != first
    (rules / "plain.yml").rename(rules / "other.yml")
    assert content_key([rules], Level.LOW) not in (first, changed)


def test_old_files_go(rules: Path, tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    folder.mkdir()
    for age in range(KEPT + 3):
        path = folder / f"{age}.rules"
        path.write_bytes(b"old")
        os.utime(path, (age, age))
    (folder / "x.123.new").write_bytes(b"unfinished")
    CompiledRules(folder).get([rules], Level.LOW)
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == KEPT
    assert {f"{age}.rules" for age in range(4, KEPT + 3)} < set(left)


def test_a_path_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no such file or folder"):
        compile_rules([tmp_path / "none"], min_level=Level.LOW)


def test_a_hostile_expression_is_refused_by_its_rule_and_the_others_load(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    write_rule(rules, "hostile", {"F|re": HOSTILE}, level="high")
    compiled = compile_rules([rules], min_level=Level.LOW, caps=QUICK)
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["good", "plain"]
    (refusal,) = compiled.ruleset.refused
    assert (refusal.title, refusal.path) == ("hostile", str(rules / "hostile.yml"))
    assert HOSTILE in refusal.reason
    assert "takes more than 1 s" in refusal.reason


def test_time_that_is_used_up_refuses_what_is_left_by_name(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    compiled = compile_rules([rules], min_level=Level.LOW, caps=Caps(all_s=0.0, database_s=60.0))
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["plain"]
    assert [(one.title, "takes more than 0 s" in one.reason) for one in compiled.ruleset.refused] == [("good", True)]


def test_an_expression_that_needs_too_much_memory_is_refused_by_its_rule(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    write_rule(rules, "wide", {"F|re": ".*a.{1000}b.{1000}c.{1000}"}, level="high")  # takes some 35 MiB to compile
    compiled = compile_rules([rules], min_level=Level.LOW, caps=Caps(memory_bytes=20 << 20))
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["good", "plain"]
    assert [one.title for one in compiled.ruleset.refused] == ["wide"]
    assert "needs more than 20 MiB of memory" in compiled.ruleset.refused[0].reason


def test_a_document_that_takes_too_long_is_refused_and_the_others_load(rules: Path) -> None:
    slow = {"F|contains|windash": [f"-a{number} -b -c -d -e" for number in range(150)]}
    write_rule(rules, "slow", slow, level="high")
    compiled = compile_rules([rules], min_level=Level.LOW, caps=Caps(document_s=0.5))
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["good", "plain"]
    assert [(one.title, one.reason) for one in compiled.ruleset.refused] == [
        ("slow", "reading it takes more than 0.5 s")
    ]
