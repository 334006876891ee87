"""Chinese titles of imported rules: each once, Chinese, and of a rule that is there."""

import re
import zipfile
from pathlib import Path

import pytest

from soc_center.rules_reading import TITLES_ZH, read_titles
from soc_model.problem import Problem

CHINESE = re.compile(r"[\u4e00-\u9fff]")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_titles_are_chinese_short_and_each_given_once() -> None:
    found = read_titles(TITLES_ZH)
    lines = [line for line in TITLES_ZH.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(found) >= 150
    assert [title for title in found.values() if not CHINESE.search(title) or len(title) > 40] == []
    assert len(set(found.values())) == len(found)
    assert all(UUID.fullmatch(rule_id) for rule_id in found)


def test_titles_are_of_rules_that_are_there(shared: Path) -> None:
    with zipfile.ZipFile(shared / "rules" / "sigma_all_rules.zip") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".yml")]
    known = {match[1] for text in texts for match in re.finditer(r"(?m)^id: ([0-9a-f-]{36})", text)}
    assert set(read_titles(TITLES_ZH)) - known == set()


@pytest.mark.parametrize("text", ["[]", "a: 1", "", "a: {b: c}"])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "titles.yml").write_text(text)
    with pytest.raises(Problem, match=r"titles\.yml"):
        read_titles(tmp_path / "titles.yml")
