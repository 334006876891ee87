"""Names: our import names are ours alone, what is on disk is what is shipped, and nouns are nouns."""

import ast
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest

NOT_NOUNS = re.compile(r"(Manager|Helpers?|Utils?|Base|Impl)$|(^|_)(manager|helpers?|utils?|common|base|impl)$")


def test_no_other_distribution_claims_our_import_names(packages: list[str]) -> None:
    claimed = packages_distributions()
    assert {name: claimed[name] for name in packages if set(claimed.get(name, [])) - {"fengsui"}} == {}
    assert not set(packages) & sys.stdlib_module_names


def test_packages_on_disk_are_those_shipped_and_typed(
    root: Path, packages: list[str], pyproject: dict[str, Any]
) -> None:
    on_disk = {path.parent.name for path in root.glob("*/__init__.py")}
    assert on_disk == {*packages, "bench"} == set(pyproject["tool"]["mypy"]["packages"])
    assert "bench" not in packages, "the benches are typed, but not shipped"
    assert [name for name in packages if not (root / name / "py.typed").exists()] == []


def test_console_script_is_a_function_that_exists(pyproject: dict[str, Any], trees: dict[str, ast.Module]) -> None:
    module, function = pyproject["project"]["scripts"]["fengsui"].split(":")
    assert function in {node.name for node in trees[module].body if isinstance(node, ast.FunctionDef)}


def test_the_installed_script_is_the_declared_one(pyproject: dict[str, Any]) -> None:
    try:
        installed = distribution("fengsui")
    except PackageNotFoundError:
        pytest.skip("fengsui is not installed in this environment (make dev installs it)")
    assert {entry.name: entry.value for entry in installed.entry_points} == pyproject["project"]["scripts"]
    assert installed.version == pyproject["project"]["version"]


def test_modules_and_classes_are_named_after_nouns(trees: dict[str, ast.Module]) -> None:
    classes = {node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    names = classes | {name.rpartition(".")[2] for name in trees}
    assert {name for name in names if NOT_NOUNS.search(name)} == set()


def test_every_module_says_what_it_is_for(trees: dict[str, ast.Module]) -> None:
    assert [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []
