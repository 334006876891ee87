"""The lock files: every dependency in a version that pyproject.toml allows, every file by its hash, no host."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; [^\\]+)?(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.M
)


def read_lock(root: Path, name: str) -> dict[str, tuple[str, int]]:
    """By distribution: its version and the number of its hashes. A line that is nothing known fails."""
    text = (root / "requirements" / f"{name}.lock").read_text("utf-8")
    left = re.sub(r"^ *#.*\n", "", ENTRY.sub("", text), flags=re.M)
    assert left.strip() == ""
    return {found["name"]: (found["version"], found["hashes"].count("--hash")) for found in ENTRY.finditer(text)}


def wanted(pyproject: dict[str, Any], name: str) -> list[Requirement]:
    """What the lock called ``name`` is made from."""
    run, dev = pyproject["project"]["dependencies"], pyproject["project"]["optional-dependencies"]["dev"]
    build = [*pyproject["build-system"]["requires"], "editables"]
    return [Requirement(text) for text in {"run": run, "dev": [*run, *dev], "build": build}[name]]


@pytest.mark.parametrize("name", ["run", "dev", "build"])
def test_every_dependency_is_locked_in_an_allowed_version(name: str, root: Path, pyproject: dict[str, Any]) -> None:
    lock = read_lock(root, name)
    missing = [
        f"{need}: {lock.get(need.name.lower())}"
        for need in wanted(pyproject, name)
        if need.name.lower() not in lock or not need.specifier.contains(lock[need.name.lower()][0])
    ]
    assert missing == [], "make lock resolves them anew"


@pytest.mark.parametrize("name", ["run", "dev", "build"])
def test_every_locked_file_has_its_hash(name: str, root: Path) -> None:
    lock = read_lock(root, name)
    assert lock
    assert [entry for entry, (_, hashes) in lock.items() if hashes == 0] == []


def test_tests_run_on_the_versions_that_are_shipped(root: Path) -> None:
    run, dev = read_lock(root, "run"), read_lock(root, "dev")
    assert {name: (found, dev.get(name)) for name, found in run.items() if dev.get(name) != found} == {}


@pytest.fixture(scope="module")
def owners() -> dict[str, set[str]]:
    """The distributions installed here by the import names they own, without our own."""
    found = packages_distributions().items()
    return {name: {re.sub(r"[-_.]+", "-", one.lower()) for one in ours} - {"fengsui"} for name, ours in found}


def needed(tree: ast.AST, owners: dict[str, set[str]]) -> set[str]:
    """The distributions that a module imports from."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    return set().union(*(owners.get(name.partition(".")[0], set()) for name in names))


def test_the_product_imports_only_what_is_shipped_with_it(
    root: Path, trees: dict[str, ast.Module], owners: dict[str, set[str]]
) -> None:
    lock = read_lock(root, "run")
    assert {name: found for name, tree in trees.items() if (found := needed(tree, owners) - set(lock))} == {}


def test_tests_import_only_what_is_locked_for_them(root: Path, owners: dict[str, set[str]]) -> None:
    lock, files = read_lock(root, "dev"), [*root.glob("tests/**/*.py"), *root.glob("bench/**/*.py")]
    trees = {path.name: ast.parse(path.read_bytes()) for path in files}
    assert {name: found for name, tree in trees.items() if (found := needed(tree, owners) - set(lock))} == {}
