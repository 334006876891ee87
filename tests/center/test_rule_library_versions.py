"""The rule library on disk: whole versions, one that runs, one that waits, and the way back; killed at every step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from soc_center.rule_library import KEPT, RuleLibrary
from soc_model.problem import Problem
from tests.center.killed_update import let_in, put


@pytest.fixture
def library(tmp_path: Path) -> RuleLibrary:
    return RuleLibrary(tmp_path / "rule-library")


def test_an_empty_library_has_nothing_and_changes_nothing(library: RuleLibrary) -> None:
    assert (library.rules_path(), library.pending(), library.state().versions) == (None, None, [])
    assert not library.root.exists()
    with pytest.raises(Problem, match="nothing to go back"):
        library.back(None, "ann", 1, lambda _: None)


def test_what_waits_does_not_run_until_it_is_confirmed(library: RuleLibrary) -> None:
    recorded: list[int] = []
    about = put(library, "one").version
    assert library.rules_path() is None
    library.confirm(about.version, about.sha256, "ann", 7, recorded.append)
    assert library.rules_path() == library.archive(about.version)
    assert library.pending() is None
    assert recorded == [about.version]
    assert [(each.version, each.at, each.by) for each in library.state().activations] == [(1, 7, "ann")]


@pytest.mark.parametrize(("number", "digest"), [(1, "0" * 64), (2, ""), (0, "")])
def test_only_what_was_looked_at_is_confirmed(library: RuleLibrary, number: int, digest: str) -> None:
    about = put(library, "one").version
    with pytest.raises(Problem, match="not what waits"):
        library.confirm(number, digest or about.sha256, "ann", 1, pytest.fail)
    assert library.rules_path() is None


def test_a_version_whose_bytes_changed_is_never_let_in(library: RuleLibrary) -> None:
    about = put(library, "one").version
    library.archive(about.version).write_bytes(b"something else")
    with pytest.raises(Problem, match="SHA-256"):
        library.confirm(about.version, about.sha256, "ann", 1, pytest.fail)
    assert library.rules_path() is None


def test_one_step_back_and_to_any_that_is_kept(library: RuleLibrary) -> None:
    for text in ("one", "two", "three"):
        let_in(library, text)
    assert library.back(None, "ann", 1, lambda _: None) == 2
    assert library.back(None, "ann", 1, lambda _: None) == 1
    assert library.back(3, "ann", 1, lambda _: None) == 3
    assert library.back(0, "ann", 1, lambda _: None) == 0
    assert library.rules_path() is None
    assert [each.version for each in library.state().versions] == [3, 2, 1]
    for wrong in (0, 9):
        with pytest.raises(Problem):
            library.back(wrong, "ann", 1, pytest.fail)


def test_the_last_versions_are_kept_and_what_runs_always(library: RuleLibrary) -> None:
    for number in range(KEPT + 2):
        let_in(library, str(number))
    library.back(3, "ann", 1, lambda _: None)
    for number in range(KEPT + 1):
        put(library, f"more {number}")
    assert [each.version for each in library.state().versions] == [7, 6, 5, 4, 3]
    assert len(list((library.root / "versions").iterdir())) == KEPT + 1


def test_a_number_is_never_given_twice(library: RuleLibrary) -> None:
    first = put(library, "one").version.version
    library.refuse(first, lambda _: None)
    assert library.pending() is None
    assert put(library, "two").version.version == first + 1


@pytest.mark.parametrize("name", ["active.json", "pending.json"])
def test_a_damaged_file_is_named(library: RuleLibrary, name: str) -> None:
    let_in(library, "one")
    put(library, "two")
    (library.root / name).write_text("{")
    with pytest.raises(Problem, match=name):
        library.state()


def test_killed_at_any_step_what_ran_goes_on_whole_and_the_next_update_works(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.center.killed_update", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(tries) > 15
    assert {each["after"]["runs"] for each in tries} == {"old", "new"}
    assert all(each["after"]["whole"] and each["next"]["whole"] for each in tries)
    assert all(each["next"] == {"runs": "next", "whole": True, "waits": False} for each in tries)
    assert [each["left"] for each in tries if each["left"] != ["active.json", "last.json", "lock", "versions"]] == []
