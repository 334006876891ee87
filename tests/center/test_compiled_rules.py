"""Rules compiled in a process of their own: kept by content, and what costs too much refused by name."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from detection_rules.compiled import Compiled
from soc_center import compiled_rules
from soc_center.compiled_rules import KEPT, CompiledRules, content_key
from soc_center.dear_rules import PutAside
from soc_center.folder import DataFolder
from soc_center.rule_choice import RuleChoice, center_choice, rules_as_written
from soc_center.rule_compile_order import Caps
from soc_center.rule_compiler import Made, compile_rules, made_of
from soc_center.rules_loading import load_center_rules
from soc_center.settings import Settings, read_settings, write_settings
from soc_model.layer import Layer, Level
from soc_model.problem import Problem
from soc_model.rule_entry import RuleEntry
from soc_model.rule_state import RuleState
from soc_model.source import Source
from soc_store.rule_catalogue import RuleCatalogue

ROOT = Path(__file__).resolve().parents[2]
#: Hyperscan works on it for minutes, though no part of it looks unusual to a check of its tree.
HOSTILE = "a.{0,9000}b.{0,9000}c"
QUICK = Caps(all_s=60, document_s=20, database_s=1.5, expression_s=1.0)


def write_rule(folder: Path, name: str, detection: Any, /, **more: Any) -> Path:
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


def chosen(*paths: Path, level: Level = Level.LOW, **more: Any) -> RuleChoice:
    """The rules at the paths, as they are written."""
    return msgspec.structs.replace(rules_as_written(paths, min_level=level), **more)


def compiled_of(rules: Path, caps: Caps | None = None) -> Compiled:
    return compile_rules(chosen(rules), caps=caps).compiled


def shown(made: Made, folder: Path) -> list[RuleEntry]:
    """What the catalogue says."""
    (folder / "catalogue").write_bytes(made.catalogue)
    return list(RuleCatalogue(folder / "catalogue").entries())


def test_rules_are_kept_and_not_compiled_again(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = CompiledRules(tmp_path / "compiled")
    first = kept.get(chosen(rules))
    assert [rule.card.title for rule in first.compiled.ruleset.rules] == ["good", "plain"]
    assert [(each.title, each.standing) for each in shown(first, tmp_path)] == [("good", "runs"), ("plain", "runs")]
    monkeypatch.setattr(sys, "executable", "/nonexistent")  # no process can be started any more
    second = kept.get(chosen(rules))
    assert second == first
    assert second.compiled.snapshot().id == first.compiled.snapshot().id
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "compiled").iterdir()] == [0o600] * 2


@pytest.mark.parametrize("kind", [".rules", ".catalogue"])
@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"something else", None])
def test_a_damaged_foreign_or_missing_file_is_made_anew(rules: Path, tmp_path: Path, kind: str, damage: Any) -> None:
    kept = CompiledRules(tmp_path / "compiled")
    first = kept.get(chosen(rules))
    (path,) = (tmp_path / "compiled").glob(f"*{kind}")
    whole = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(whole))
    again = kept.get(chosen(rules))
    assert again.compiled.ruleset == first.compiled.ruleset
    assert made_of(again.encoded, again.catalogue, content_key(chosen(rules))) == again
    assert path.read_bytes() == (again.encoded if kind == ".rules" else again.catalogue)


SOURCE = Source(id="s", name="s", transport="http", format="syslog", layer=Layer.HOST, unit="u")
ASIDE = PutAside(rule_id="r", content_sha256="0" * 64, share=0.4, at=7)
MATTERS: dict[str, dict[str, Any]] = {
    "level": {"min_level": Level.HIGH},
    "states": {"states": {"r": RuleState.TEST}},
    "put aside": {"aside": {"0" * 64: ASIDE}},
    "lists": {"site": {"Administrators": ["root"]}},
    "sources": {"sources": (SOURCE,)},
    "as written": {"as_written": False},
}


@pytest.mark.parametrize("more", MATTERS.values(), ids=MATTERS)
def test_the_key_is_of_what_is_said_of_rules(rules: Path, more: dict[str, Any]) -> None:
    assert content_key(chosen(rules)) == content_key(chosen(rules))
    assert content_key(msgspec.structs.replace(chosen(rules), **more)) != content_key(chosen(rules))


def test_another_source_of_the_same_kind_is_no_other_choice(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path).make()
    one = Settings(version=1, name="t", units=[], sources=[SOURCE])
    second, other = (msgspec.structs.replace(SOURCE, id="x", **more) for more in ({}, {"format": "json"}))
    keys = [
        content_key(center_choice(folder, msgspec.structs.replace(one, sources=sources), []))
        for sources in ([SOURCE], [SOURCE, second], [SOURCE, other])
    ]
    assert keys[0] == keys[1] != keys[2]


def test_the_key_is_of_the_rules_themselves(rules: Path) -> None:
    first = content_key(chosen(rules))
    assert content_key(chosen(rules, rules)) != first
    write_rule(rules, "plain", {"F": "d"}, level="low")
    changed = content_key(chosen(rules))
    assert changed != first
    (rules / "plain.yml").rename(rules / "other.yml")
    assert content_key(chosen(rules)) not in (first, changed)


@pytest.mark.parametrize("name", ["mappings/x.yml", "titles_zh.yml", "ruleset.py"])
def test_the_key_is_of_the_engine_and_what_it_brings_along(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "engine" / "mappings").mkdir(parents=True)
    monkeypatch.setattr(compiled_rules, "ENGINE", tmp_path / "engine")
    monkeypatch.setattr(compiled_rules, "_engine", compiled_rules._engine.__wrapped__)
    first = content_key(chosen(rules))
    (tmp_path / "engine" / name).write_text("x")
    assert content_key(chosen(rules)) != first


def test_a_hostile_filter_is_refused_itself_and_no_rule_for_it(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    narrowed = {"rules": "any", "sel": {"F|re": HOSTILE}, "condition": "not sel"}
    hostile = {"title": "narrow", "id": "0" * 8 + "-0000-4000-8000-" + "9" * 12, "logsource": {"product": "app"}}
    (rules / "filter.yml").write_text(yaml.safe_dump({**hostile, "filter": narrowed}))
    found = compiled_of(rules, QUICK).ruleset
    assert [rule.card.title for rule in found.rules] == ["good", "plain"]
    assert [one.title for one in found.refused] == ["narrow"]


def test_a_rule_put_aside_for_what_it_is_with_its_lists_is_refused(rules: Path) -> None:
    write_rule(rules, "listed", {"F|expand": "%names%"}, level="high")
    (listed,) = compile_rules(chosen(rules, site={"names": ["a"]}, min_level=Level.HIGH)).compiled.ruleset.rules[1:]
    aside = msgspec.structs.replace(ASIDE, content_sha256=listed.card.content_sha256)
    choice = chosen(rules, site={"names": ["a"]}, aside={aside.content_sha256: aside})
    found = compile_rules(choice).compiled.ruleset
    assert [(one.title, one.reason) for one in found.refused] == [("listed", aside.reason)]
    assert [rule.card.title for rule in found.rules] == ["good", "plain"]


def test_correlations_filters_and_lists_are_kept_whole(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    write_rule(rules, "base", {"F|expand": "%unknown%"}, level="low")
    write_rule(rules, "part", {"F": "c"}, level="low", name="part")
    counts = {"type": "event_count", "rules": ["part"], "group-by": ["F"], "timespan": "1m", "condition": {"gte": 3}}
    ident = "0" * 8 + "-0000-4000-8000-"
    (rules / "sum.yml").write_text(
        yaml.safe_dump({"title": "sum", "id": ident + "1" * 12, "level": "high", "correlation": counts})
    )
    narrowed = {"rules": "any", "sel": {"G": "x"}, "condition": "not sel"}
    about = {"title": "narrow", "id": ident + "2" * 12, "logsource": {"product": "app"}}
    (rules / "filter.yml").write_text(yaml.safe_dump({**about, "filter": narrowed}))
    kept = CompiledRules(tmp_path / "compiled")
    made, read = kept.get(chosen(rules)).compiled, kept.get(chosen(rules)).compiled
    alerts = {rule.card.title: (rule.alerts, rule.needs, len(rule.filters)) for rule in read.ruleset.rules}
    assert alerts == {"base": (True, ("unknown",), 1), "part": (False, (), 1)}
    assert [one.correlation.rules for one in read.ruleset.correlations] == [(read.ruleset.rules[1].card.id,)]
    assert read == made
    assert read.snapshot().contributions == made.snapshot().contributions


def test_a_kept_start_reads_no_rule_and_loads_nothing_that_could(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data").make()
    write_settings(folder.settings, Settings(version=1, name="t", units=[], sources=[]))
    load_center_rules(folder, read_settings(folder.settings))
    program = (
        "import sys; from pathlib import Path; import soc_center.processes.detect as detect\n"
        "folder = detect.DataFolder(Path(sys.argv[1]))\n"
        "loaded = detect.load_center_rules(folder, detect.read_settings(folder.settings))\n"
        "loaded.snapshot.warm()\n"
        "print(loaded.snapshot.id, 'sigma' in sys.modules, 'soc_center.rules_reading' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder.root)], capture_output=True, text=True, check=True)
    snapshot = load_center_rules(folder, read_settings(folder.settings)).snapshot
    assert done.stdout.split() == [snapshot.id, "False", "False"]


def test_old_files_go(rules: Path, tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    folder.mkdir()
    for age in range(KEPT + 3):
        path = folder / f"{age}.rules"
        path.write_bytes(b"old")
        os.utime(path, (age, age))
        path.with_suffix(".catalogue").write_bytes(b"old")
    (folder / "x.123.new").write_bytes(b"unfinished")
    CompiledRules(folder).get(chosen(rules))
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 2 * KEPT
    assert {f"{age}.rules" for age in range(4, KEPT + 3)} < set(left)


def test_a_path_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no such file or folder"):
        compile_rules(chosen(tmp_path / "none"))


def test_a_hostile_expression_is_refused_by_its_rule_and_the_others_load(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    write_rule(rules, "hostile", {"F|re": HOSTILE}, level="high")
    compiled = compiled_of(rules, QUICK)
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["good", "plain"]
    (refusal,) = compiled.ruleset.refused
    assert (refusal.title, refusal.path) == ("hostile", str(rules / "hostile.yml"))
    assert HOSTILE in refusal.reason
    assert "takes more than 1 s" in refusal.reason


def test_time_that_is_used_up_refuses_what_is_left_by_name(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    compiled = compiled_of(rules, Caps(all_s=0.0, database_s=60.0))
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["plain"]
    assert [(one.title, "takes more than 0 s" in one.reason) for one in compiled.ruleset.refused] == [("good", True)]


def test_an_expression_that_needs_too_much_memory_is_refused_by_its_rule(rules: Path) -> None:
    pytest.importorskip("hyperscan")
    write_rule(rules, "wide", {"F|re": ".*a.{1000}b.{1000}c.{1000}"}, level="high")  # takes some 35 MiB to compile
    compiled = compiled_of(rules, Caps(memory_bytes=20 << 20))
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["good", "plain"]
    assert [one.title for one in compiled.ruleset.refused] == ["wide"]
    assert "needs more than 20 MiB of memory" in compiled.ruleset.refused[0].reason


def test_a_document_that_takes_too_long_is_refused_and_the_others_load(rules: Path) -> None:
    slow = {"F|contains|windash": [f"-a{number} -b -c -d -e" for number in range(150)]}
    write_rule(rules, "slow", slow, level="high")
    compiled = compiled_of(rules, Caps(document_s=0.5))
    assert [rule.card.title for rule in compiled.ruleset.rules] == ["good", "plain"]
    assert [(one.title, one.reason) for one in compiled.ruleset.refused] == [
        ("slow", "reading it takes more than 0.5 s")
    ]
