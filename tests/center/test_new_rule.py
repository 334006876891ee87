"""fengsui rules new: every format gives a rule that passes its own check at once, and nothing is overwritten."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from typer.testing import CliRunner

from collectors.format import FORMATS, format_names
from soc_center.cli import app
from soc_center.new_rule import SCAFFOLD, RuleDraft, rules_folder, scaffold, write_rule
from soc_model.layer import Layer, Level
from soc_model.problem import Problem

OWN = Path("/opt/fengsui/detection_rules/rules")
#: Written here, or made from the declaration: only a format in Python that nobody gave a sample has none.
ABLE = sorted({*yaml.safe_load(SCAFFOLD.read_text("utf-8")), *(path.stem for path in FORMATS.glob("[a-z]*.yml"))})


def draft(**changes: Any) -> RuleDraft:
    given = {
        "layer": Layer.HOST,
        "name": "sudo_by_service_account",
        "title": "Sudo: By A Service #1",
        "title_zh": "服务账号：提权",
        "level": Level.HIGH,
        "format": "syslog",
    }
    return RuleDraft(**given | changes)


@pytest.mark.parametrize("format_name", ABLE)
def test_a_new_rule_passes_the_check_at_once(format_name: str, tmp_path: Path) -> None:
    path = write_rule(draft(format=format_name), tmp_path, own=OWN)
    done = CliRunner().invoke(app, ["rules", "check", str(path)])
    assert done.stdout == "1 loaded, 0 refused, 2 samples, 0 failed\n"
    assert done.exit_code == 0


def test_every_format_here_can_begin_a_rule() -> None:
    assert set(ABLE) >= {"syslog", "windows_json", "evtx", "zeek", "json"}
    assert set(ABLE) <= set(format_names())


@pytest.mark.parametrize("format_name", [path.stem for path in FORMATS.glob("[a-z]*.yml")])
def test_a_declared_format_needs_no_scaffold_of_its_own(
    format_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "none.yml"
    empty.write_text("{}")
    monkeypatch.setattr("soc_center.new_rule.SCAFFOLD", empty)
    path = write_rule(draft(format=format_name), tmp_path, own=OWN)
    assert CliRunner().invoke(app, ["rules", "check", str(path)]).exit_code == 0


def test_a_format_of_which_nothing_is_known_says_which_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    some = tmp_path / "some.yml"
    some.write_text("json: {}")
    monkeypatch.setattr("soc_center.new_rule.SCAFFOLD", some)
    with pytest.raises(Problem, match="no sample record yet; there are json"):
        scaffold("dpkg")


def test_what_is_written_is_what_was_asked_for(tmp_path: Path) -> None:
    first = write_rule(draft(), tmp_path, own=OWN)
    other = write_rule(draft(name="another_rule"), tmp_path, own=OWN)
    assert first == tmp_path / "host" / "sudo_by_service_account.yml"
    rule, second = (yaml.safe_load(path.read_text("utf-8")) for path in (first, other))
    assert (rule["title"], rule["fengsui"]["title_zh"], rule["level"]) == (
        "Sudo: By A Service #1",
        "服务账号：提权",
        "high",
    )
    assert UUID(rule["id"]).version == 4
    assert rule["id"] != second["id"]
    assert "author" not in rule
    assert (
        yaml.safe_load(write_rule(draft(), tmp_path / "own", own=tmp_path / "own").read_text())["author"] == "fengsui"
    )


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = write_rule(draft(), tmp_path, own=OWN)
    before = path.read_bytes()
    with pytest.raises(Problem, match="is there already"):
        write_rule(draft(format="zeek"), tmp_path, own=OWN)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(
            ({"name": name}, "NAME")
            for name in ("short", "Big_Letters_Here", "../../etc/passwd", "with space in it", "")
        ),
        *(({"title": title}, "--title") for title in ("", "中文标题", "two\nlines")),
        *(({"title_zh": title}, "--title-zh") for title in ("", "English", "两\n行")),
        ({"format": "sislog"}, "--format"),
    ],
)
def test_bad_names_and_titles_write_nothing(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(Problem, match=said):
        write_rule(draft(**changes), tmp_path, own=OWN)
    assert list(tmp_path.rglob("*")) == []


def test_where_rules_go(tmp_path: Path) -> None:
    own = tmp_path / "checkout" / "detection_rules" / "rules"
    inside, outside = tmp_path / "checkout" / "docs", tmp_path / "elsewhere"
    assert rules_folder(inside, own) == inside / "rules"  # installed, no checkout
    own.mkdir(parents=True)
    (tmp_path / "checkout" / "pyproject.toml").write_text("")
    assert rules_folder(inside, own) == own
    assert rules_folder(outside, own) == outside / "rules"


def test_the_command(tmp_path: Path) -> None:
    command = ["rules", "new", "network", "dns_to_nowhere", "--title", "DNS To Nowhere", "--title-zh", "异常域名"]
    command += ["--format", "dns_json", "--level", "low", "--into", str(tmp_path)]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, (tmp_path / "network" / "dns_to_nowhere.yml").is_file()) == (0, True)
    assert isinstance(CliRunner().invoke(app, command).exception, Problem)
