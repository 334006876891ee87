"""docs/sources.md tells every format, what it carries, which of SigmaHQ's rules it reaches, and what has none."""

import re
from pathlib import Path

import pytest

from detection_rules.rule import RuleSet
from tests.project.sources_table import BEGIN, DOCUMENT, END, format_rows, rules_of, table, without_source

ROW = re.compile(r"^\| `([^`]*/[^`]*/[^`]*)` \| (\d+) \| (.{20,}) \|$", re.M)


@pytest.fixture(scope="module")
def rules(shared: Path) -> RuleSet:
    return rules_of(shared / "rules" / "sigma_all_rules.zip")


@pytest.fixture(scope="module")
def made() -> str:
    """What stands between the marks."""
    return DOCUMENT.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def test_every_format_has_its_row(made: str) -> None:
    assert [line.rpartition(" | ")[0] + " |" for line in made.splitlines()[2:]] == format_rows()


def test_the_counts_of_rules_are_so(made: str, rules: RuleSet) -> None:
    assert made == table(rules)


def test_rules_without_a_source_have_their_reason(rules: RuleSet) -> None:
    told = {logsource: int(count) for logsource, count, _ in ROW.findall(DOCUMENT.read_text("utf-8"))}
    assert told == without_source(rules)
