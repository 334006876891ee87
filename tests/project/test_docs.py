"""README, CHANGELOG and Makefile say the same and say what is so."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from soc_model.right import Right, Role, rights_of

TARGET = re.compile(r"^([a-z-]+):(?!=)([^#\n]*)(?:## (.+))?$", re.M)


@pytest.fixture
def targets(root: Path) -> dict[str, str]:
    """What the Makefile's targets say of themselves, by name."""
    return {name: what for name, _, what in TARGET.findall((root / "Makefile").read_text("utf-8"))}


def test_every_target_says_what_it_does(targets: dict[str, str]) -> None:
    assert {"env", "run", "test", "test-services", "soak", "lock", "lint", "clean"} <= set(targets)
    assert [name for name, what in targets.items() if not what] == []


def test_no_target_is_taken_for_a_file(root: Path, targets: dict[str, str]) -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (root / "Makefile").read_text("utf-8"), re.M)
    assert phony
    assert set(phony[1].split()) == set(targets)


def test_readme_names_both_commands(root: Path) -> None:
    readme = (root / "README.md").read_text("utf-8")
    assert "make run" in readme
    assert "make test" in readme


@pytest.fixture
def documents(root: Path) -> dict[Path, str]:
    """The text of every document, by path."""
    paths = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]
    return {path: path.read_text("utf-8") for path in paths}


def test_documents_name_only_targets_that_exist(documents: dict[Path, str], targets: dict[str, str]) -> None:
    code = [word for text in documents.values() for word in re.findall(r"`[^`]+`|^    .+$", text, re.M)]
    named = {name for text in code for name in re.findall(r"\bmake ([a-z][a-z-]*)", text)}
    assert named - set(targets) == set()


def test_links_between_documents_lead_somewhere(documents: dict[Path, str]) -> None:
    link = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
    dead = [
        f"{path.name}: {to}"
        for path, text in documents.items()
        for to in link.findall(text)
        if not (path.parent / to).exists()
    ]
    assert dead == []


def test_changelog_has_the_version(root: Path, pyproject: dict[str, Any]) -> None:
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{pyproject['project']['version']}]" in changelog


def test_licence_files_are_there_and_whole(root: Path, pyproject: dict[str, Any]) -> None:
    named = pyproject["project"]["license-files"]
    assert [name for name in named if not (root / name).is_file()] == []
    assert "END OF TERMS AND CONDITIONS" in (root / "LICENSE").read_text("utf-8")


def test_ci_can_be_started(root: Path) -> None:
    assert os.access(root / ".ci" / "run", os.X_OK)


def test_the_table_of_rights_says_what_the_code_says(root: Path) -> None:
    text = (root / "docs" / "architecture.md").read_text("utf-8")
    table = text[text.index("| right |") :].partition("\n\n")[0]
    head, _, *rows = (line.strip().strip("|").split("|") for line in table.splitlines())
    roles = [Role(each.strip()) for each in head[1:]]
    said = {
        Right(name.strip(" `")): {role for role, mark in zip(roles, marks, strict=True) if mark.strip()}
        for name, *marks in rows
    }
    assert roles == list(Role)
    assert said == {right: {role for role in Role if right in rights_of({role})} for right in Right}
