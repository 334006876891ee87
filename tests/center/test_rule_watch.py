"""The watch over rules: true once for each change that stands still, and never for what changes nothing."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from detection_rules.library import read_documents
from soc_center.folder import DataFolder
from soc_center.rule_paths import OWN_RULES
from soc_center.rule_watch import RuleWatch
from soc_center.rules_loading import load_snapshot
from soc_center.settings import read_settings
from soc_model.problem import Problem

RULE = next(document.text for document in read_documents([OWN_RULES]).documents)


class Watched:
    """A data directory with one folder and one archive of rules, and a clock of its own."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder, self.rules, self.zip = DataFolder(tmp_path / "data"), tmp_path / "rules", tmp_path / "rules.zip"
        self.folder.root.mkdir()
        self.rules.mkdir()
        (self.rules / "a.yml").write_text(RULE)
        self.write_zip(RULE)
        self.settings(rules=[str(self.rules), str(self.zip)])
        self.now = 100.0
        self.watch = RuleWatch(self.folder, lambda: self.now)
        self.after(5, times=3)

    def settings(self, **detection: Any) -> None:
        whole = {"version": 1, "name": "t", "units": [], "sources": [], "detection": detection}
        self.folder.settings.write_text(yaml.safe_dump(whole))

    def write_zip(self, text: str) -> None:
        with zipfile.ZipFile(self.zip, "w") as archive:
            archive.writestr("r.yml", text)

    def after(self, seconds: float, times: int = 1) -> list[bool]:
        found = []
        for _ in range(times):
            self.now += seconds
            found.append(self.watch.changed())
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


CHANGES = {
    "a rule changed": lambda w: (w.rules / "a.yml").write_text(RULE + "\n"),
    "a rule added": lambda w: (w.rules / "b.yml").write_text(RULE),
    "a rule below": lambda w: ((w.rules / "deep").mkdir(), (w.rules / "deep" / "c.yml").write_text(RULE)),
    "a rule gone": lambda w: (w.rules / "a.yml").unlink(),
    "the archive": lambda w: w.write_zip(RULE + "\n"),
    "the archive gone": lambda w: w.zip.unlink(),
    "the level": lambda w: w.settings(rules=[str(w.rules), str(w.zip)], min_level="high"),
    "the paths": lambda w: w.settings(rules=[str(w.rules)]),
    "settings unreadable": lambda w: w.folder.settings.write_text("detection: ["),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_stands_still_is_told_once(watched: Watched, change: Any) -> None:
    change(watched)
    assert watched.after(1.5, times=6) == [False, False, True, False, False, False]


NOTHING = {
    "touched": lambda w: os.utime(w.rules / "a.yml", (1, 1)),
    "written the same": lambda w: (w.rules / "a.yml").write_text(RULE),
    "no rule": lambda w: (w.rules / "README.md").write_text("x"),
    "other settings": lambda w: w.folder.settings.write_text(
        w.folder.settings.read_text().replace("name: t", "name: u")
    ),
    "nothing": lambda w: None,
}


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING)
def test_what_changes_no_rule_is_not_told(watched: Watched, change: Any) -> None:
    change(watched)
    assert not any(watched.after(1.5, times=6))


def test_an_archive_that_is_still_written_waits(watched: Watched) -> None:
    whole = watched.zip.read_bytes() + b"more"
    for end in range(1, len(whole), len(whole) // 5):
        watched.zip.write_bytes(whole[:end])
        assert watched.after(1.5) == [False]
    watched.zip.write_bytes(whole)
    assert watched.after(1.5, times=4) == [False, False, True, False]


def test_a_look_that_takes_long_is_repeated_late(watched: Watched) -> None:
    slow = watched.watch._look
    looks = []

    def look() -> bytes:
        looks.append(watched.now)
        watched.now += 0.5
        return slow()

    watched.watch._look = look  # type: ignore[method-assign]
    watched.after(10, times=20)
    assert 2 <= len(looks) <= 6


BROKEN = {
    "no such file": (lambda w: w.zip.unlink(), "no such file or folder"),
    "not a readable zip": (lambda w: w.zip.write_bytes(b"PK"), "not a readable zip archive"),
    "emptied": (lambda w: (w.rules / "a.yml").unlink(), "no rule in it"),
}


@pytest.mark.parametrize(("change", "what"), BROKEN.values(), ids=BROKEN)
def test_what_is_too_broken_does_not_follow(watched: Watched, change: Any, what: str) -> None:
    change(watched)
    with pytest.raises(Problem, match=what):
        load_snapshot(watched.folder, read_settings(watched.folder.settings), follows=True)


def test_a_single_wrong_rule_is_refused_and_the_others_follow(watched: Watched) -> None:
    (watched.rules / "b.yml").write_text("title: x\ndetection: [\n")
    snapshot = load_snapshot(watched.folder, read_settings(watched.folder.settings), follows=True)
    assert any(str(refusal).startswith(f"{watched.rules / 'b.yml'}:") for refusal in snapshot.refused)
