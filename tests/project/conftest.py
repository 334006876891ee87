"""The project as files: its packages, their syntax trees, what git tracks, and scripts/env.py as a module."""

import ast
import importlib.util
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def pyproject(root: Path) -> dict[str, Any]:
    """pyproject.toml as data."""
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="session")
def packages(pyproject: dict[str, Any]) -> list[str]:
    """The import names that the wheel carries."""
    return list(pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


@pytest.fixture(scope="session")
def trees(root: Path, packages: list[str]) -> dict[str, ast.Module]:
    """Every module of every package by dotted name; a package's ``__init__`` goes by the package's own name."""
    found = {}
    for path in (path for package in packages for path in sorted((root / package).rglob("*.py"))):
        if "node_modules" not in path.parts:
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_bytes(), str(path))
    return found


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """Every file that git tracks or would (new and not ignored)."""
    argv = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: what is tracked is not known here")
    return [root / name for name in done.stdout.split("\0") if name and (root / name).is_file()]


@pytest.fixture
def env_script(root: Path) -> ModuleType:
    """scripts/env.py as a fresh module, so a test may point it elsewhere."""
    spec = importlib.util.spec_from_file_location("env_script", root / "scripts" / "env.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
