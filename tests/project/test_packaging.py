"""What git tracks is enough: the wheel carries all the center needs, and ``make env`` works in a clone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

BASE_LIMIT_BYTES = 250 * 1000 * 1000


def run(*argv: str | Path, cwd: Path, **env: str) -> str:
    """What the command printed; its complaint when it fails."""
    done = subprocess.run(
        [*map(str, argv)], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(root: Path, tracked: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, as a clone has them."""
    folder = tmp_path_factory.mktemp("clone") / "fengsui"
    for path in tracked:
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the locked build tools."""
    folder = tmp_path_factory.mktemp("build")
    pip = (sys.executable, "-m", "pip", "-q")
    lock = source / "requirements" / "build.lock"
    run(*pip, "install", "--no-deps", "--require-hashes", "--target", "tools", "-r", lock, cwd=folder)
    build = ("wheel", "--no-deps", "--no-build-isolation", "-w", "dist", source)
    run(*pip, *build, cwd=folder, PYTHONPATH=str(folder / "tools"))
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the locked run-time packages and the wheel."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", venv, cwd=venv.parent)
    pip = (venv / "bin" / "python", "-m", "pip", "-q", "install", "--no-deps")
    run(*pip, "--require-hashes", "-r", root / "requirements" / "run.lock", cwd=venv.parent)
    run(*pip, wheel, cwd=venv.parent)
    return venv


def test_the_wheel_carries_assets_translations_rules_and_licences(wheel: Path, packages: list[str]) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    endings = ("htmx.min.js", "echarts.common.min.js", "htmx.LICENSE", ".mo", "licenses/LICENSE", "licenses/NOTICE")
    assert [ending for ending in endings if not any(name.endswith(ending) for name in names)] == []
    assert sum(name.startswith("detection_rules/rules/") and name.endswith(".yml") for name in names) > 0


def test_the_wheel_carries_nothing_else(wheel: Path, packages: list[str]) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(packages)


def test_the_installed_command_runs_where_no_source_is(
    installed: Path, tmp_path: Path, pyproject: dict[str, Any]
) -> None:
    assert pyproject["project"]["version"] in run(installed / "bin" / "fengsui", "--version", cwd=tmp_path)
    run(installed / "bin" / "python", "-m", "pip", "check", cwd=tmp_path)


def test_the_base_install_is_small(installed: Path) -> None:
    (site,) = installed.glob("lib/python3*/site-packages")
    files = [path for path in site.rglob("*") if path.is_file() and path.relative_to(site).parts[0] != "pip"]
    assert sum(path.stat().st_size for path in files) <= BASE_LIMIT_BYTES


def test_make_env_in_a_clone_gives_the_command_and_then_has_nothing_to_do(source: Path) -> None:
    python = f"PYTHON={sys.executable}"
    run("make", "--no-print-directory", python, "env", cwd=source)
    assert "fengsui" in run(".venv/bin/fengsui", "--version", cwd=source)
    stamp = source / ".venv" / "fengsui.stamp"
    before = stamp.stat().st_mtime_ns
    assert run("make", "--no-print-directory", python, "env", cwd=source) == ""
    assert stamp.stat().st_mtime_ns == before
