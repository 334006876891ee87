"""The site's lists: from fengsui.yml to the rules that ask for them, and what the check says of rules that wait."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from soc_center.cli import app
from soc_center.folder import DataFolder
from soc_center.rules_loading import load_center_rules
from soc_center.settings import SettingsProblem, read_settings

LOGSOURCE = "logsource: {product: app}"
RULES = f"""
title: one
name: one
{LOGSOURCE}
detection: {{s: {{F|expand: '%Administrators%'}}, condition: s}}
---
title: two
name: two
{LOGSOURCE}
detection: {{s: {{F: x}}, f: {{U|expand: '%Administrators%'}}, condition: s and not f}}
---
title: many
correlation: {{type: event_count, rules: [two], timespan: 5m, condition: {{gte: 2}}}}
---
title: narrower
{LOGSOURCE}
filter: {{rules: [two], s: {{V: y}}, condition: not s}}
"""
SETTINGS = "version: 1\nname: c\nunits: []\nsources: []\ndetection: {min_level: informational, rules: [RULES]}\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose settings name the rules."""
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "fengsui.yml").write_text(SETTINGS.replace("RULES", str(tmp_path / "rules.yml")))
    return tmp_path


def declare(data: Path, lists: str) -> None:
    path = data / "fengsui.yml"
    path.write_text(path.read_text().replace("]}", f"], placeholders: {lists}}}"))


def check(data: Path) -> str:
    done = CliRunner().invoke(app, ["rules", "check", str(data / "rules.yml"), "--data", str(data)])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_check_says_what_waits_what_is_narrowed_and_what_only_feeds_correlations(data: Path) -> None:
    said = check(data)
    assert "list not declared %Administrators% (detection.placeholders)" in said
    assert "rules.yml:2: one, silent until then" in said
    assert "no alerts of its own" in said and "rules.yml:7: two: it only adds to correlations" in said
    assert "rules.yml:15: narrower: 1 rules narrowed" in said


def test_a_declared_list_is_waited_for_no_more(data: Path) -> None:
    declare(data, "{Administrators: [root, 'adm_*', 1000]}")
    assert "not declared" not in check(data)


def test_detection_loads_rules_with_the_lists(data: Path) -> None:
    before = load_center_rules(DataFolder(data), read_settings(data / "fengsui.yml")).snapshot
    declare(data, "{Administrators: [root]}")
    after = load_center_rules(DataFolder(data), read_settings(data / "fengsui.yml")).snapshot
    assert before.id != after.id
    waiting = [{rule.card.title for rule in one.rules if rule.needs} for one in (before, after)]
    assert waiting == [{"one", "two"}, set()]


@pytest.mark.parametrize("lists", ["[root]", "{Administrators: root}", "{Administrators: [[root]]}"])
def test_what_is_no_list_is_named(data: Path, lists: str) -> None:
    declare(data, lists)
    with pytest.raises(SettingsProblem, match=r"fengsui\.yml:5: .*placeholders"):
        read_settings(data / "fengsui.yml")
