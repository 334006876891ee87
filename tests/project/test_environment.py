"""scripts/env.py: which Python it takes, and when it finds the environment up to date."""

import sys
from pathlib import Path
from types import ModuleType

import pytest


def write_python(folder: Path, name: str, answer: str) -> Path:
    """A program called like a Python; ``answer`` is its shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path, env_script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with lock files, where scripts/env.py takes itself to be."""
    for name in ("run", "dev", "build"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / "requirements" / f"{name}.lock").write_text(f"{name}==1\n")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    places = {"ROOT": tmp_path, "VENV": venv, "PYTHON": venv / "bin" / "python", "STAMP": venv / "fengsui.stamp"}
    for name, place in places.items():
        monkeypatch.setattr(env_script, name, place)
    return tmp_path


@pytest.fixture
def made(env_script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The levels that were made from now on; making one only writes the stamp."""
    levels: list[str] = []

    def make(level: str) -> None:
        levels.append(level)
        env_script.STAMP.write_text(f"{level}|{env_script.digest(level)}|{env_script.ROOT}")

    monkeypatch.setattr(env_script, "make", make)
    return levels


@pytest.fixture
def ask(env_script: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """Calls the script's main for a level."""

    def call(level: str) -> None:
        monkeypatch.setattr(sys, "argv", ["env.py", level])
        env_script.main()

    return call


def test_a_second_run_makes_nothing(project: Path, made: list[str], ask) -> None:
    ask("run")
    ask("run")
    assert made == ["run"]


def test_an_environment_with_the_tools_of_the_tests_keeps_them(project: Path, made: list[str], ask) -> None:
    for level in ("run", "dev", "run", "dev"):
        ask(level)
    assert made == ["run", "dev"]


@pytest.mark.parametrize(
    "name",
    [
        *("requirements/run.lock", "requirements/build.lock", "pyproject.toml", "hatch_build.py"),
        *("soc_api/console/web/package-lock.json", "soc_api/console/locale/zh_CN/LC_MESSAGES/console.po"),
    ],
)
def test_a_change_of_any_input_makes_it_again(name: str, project: Path, made: list[str], ask) -> None:
    ask("run")
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("changed")
    ask("run")
    assert made == ["run", "run"]


def test_a_moved_or_unfinished_environment_is_made_again(project: Path, made: list[str], ask) -> None:
    stamp = project / ".venv" / "fengsui.stamp"
    ask("run")
    stamp.write_text(stamp.read_text().replace(str(project), "/elsewhere"))
    ask("run")
    stamp.write_text(f"run|unfinished|{project}")
    ask("run")
    assert made == ["run", "run", "run"]


def test_an_old_python_hands_over_to_the_first_newer_that_starts(
    tmp_path: Path, env_script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_python(tmp_path, "python3.13", "exit 127")  # a version manager's shim for a version that is not there
    newer = write_python(tmp_path, "python3.12", f'exec "{sys.executable}" "$@"')
    started: list[list[str]] = []
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(env_script.os, "execv", lambda path, argv: started.append(argv) or sys.exit(0))
    with pytest.raises(SystemExit):
        env_script.hand_over()
    assert started == [[str(newer), *sys.argv]]


def test_no_newer_python_is_said_with_what_to_do(
    tmp_path: Path, env_script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"make PYTHON="):
        env_script.hand_over()


def test_an_unknown_level_is_refused(ask) -> None:
    with pytest.raises(SystemExit, match="usage"):
        ask("everything")
