"""fengsui doctor on real folders: empty, good, broken in each way a person breaks them."""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from soc_center.cli import app
from soc_center.doctor.diagnosis import Diagnosis, Word, bad, ok, warn
from soc_center.doctor.examine import examine
from soc_center.doctor.show import show
from soc_center.folder import DataFolder
from soc_store.journal import KIND, Journal
from soc_store.state import State
from soc_store.versions import create
from tests.running import free_port


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A center that was started once: settings, state, journal, and a log it may read."""
    made = DataFolder(tmp_path / "data").make()
    log = tmp_path / "a.log"
    log.write_text("one\n")
    file = {"id": "s1", "name": "s1", "transport": "file", "format": "syslog", "layer": "host", "unit": "u"}
    http = {**file, "id": "s2", "transport": "http", "key_sha256": "ab" * 32}
    settings = {
        "version": 1,
        "name": "c",
        "units": [{"id": "u", "name": "u"}],
        "sources": [{**file, "settings": {"paths": [str(log)]}}, http],
        "listen": {"console": f"127.0.0.1:{free_port()}", "intake": f"127.0.0.1:{free_port()}"},
    }
    made.settings.write_text(yaml.safe_dump(settings))
    made.settings.chmod(0o600)
    State.open(made.state_url, migrate=True).close()
    made.state.chmod(0o600)
    Journal.open(made.journal, {}, now=lambda: 1).close()
    return made


def change(folder: DataFolder, old: str, new: str) -> None:
    text = folder.settings.read_text()
    assert old in text
    folder.settings.write_text(text.replace(old, new))


def said(folder: DataFolder, subject: str) -> list[Diagnosis]:
    """What is not well with a subject."""
    return [each for each in examine(folder) if each.subject == subject and each.word is not Word.OK]


def test_a_good_folder_has_nothing_bad(folder: DataFolder) -> None:
    found = examine(folder)
    assert [each for each in found if each.word is Word.BAD] == []
    assert {"folder", "settings", "state", "files", "ports", "sources", "rules", "processes"} <= {
        each.subject for each in found if each.word is Word.OK
    }
    assert sorted(path.name for path in folder.root.iterdir() if "doctor" in path.name or "tmp" in path.name) == []


def test_a_folder_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    found = examine(DataFolder(tmp_path / "none" / "deep"))
    (one,) = [each for each in found if each.subject == "folder"]
    assert (one.word, "is not there yet" in one.cause) == (Word.WARN, True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    (one,) = said(DataFolder(tmp_path / "data"), "folder")
    assert "is a file" in one.cause


def test_open_permissions(folder: DataFolder) -> None:
    folder.journal.chmod(0o755)
    (one,) = said(folder, "folder")
    assert one.fix == f"chmod 700 {folder.journal}"


def test_bad_settings_by_file_and_line(folder: DataFolder) -> None:
    change(folder, "format: syslog", "format: sislog")
    (one,) = said(folder, "settings")
    assert one.word is Word.BAD
    assert one.cause.startswith(f"{folder.settings}:")
    assert "no format 'sislog'" in one.cause


def test_paths_that_match_nothing(folder: DataFolder) -> None:
    change(folder, "a.log", "b*.log")
    (one,) = said(folder, "sources")
    assert "b*.log matches no file" in one.cause


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_cannot_be_read(folder: DataFolder) -> None:
    (folder.root.parent / "a.log").chmod(0)
    (one,) = said(folder, "sources")
    assert (one.word, "cannot be read" in one.cause) == (Word.BAD, True)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_port_that_another_has(folder: DataFolder, listener: socket.socket) -> None:
    port = yaml.safe_load(folder.settings.read_text())["listen"]["intake"]
    change(folder, port, f"127.0.0.1:{listener.getsockname()[1]}")
    (one,) = said(folder, "ports")
    assert one.cause.endswith("is taken by another program")


def test_a_port_that_our_process_has(folder: DataFolder, listener: socket.socket) -> None:
    port = yaml.safe_load(folder.settings.read_text())["listen"]["intake"]
    change(folder, port, f"127.0.0.1:{listener.getsockname()[1]}")
    gauge = {"process": "collect", "pid": os.getpid(), "started": 1, "at": 1}
    (folder.run / "collect.json").write_text(json.dumps(gauge))
    assert said(folder, "ports") == []


@pytest.mark.parametrize(("found", "word"), [("0000", Word.WARN), ("9999", Word.BAD)])
def test_a_state_of_another_release(folder: DataFolder, found: str, word: Word) -> None:
    connection = sqlite3.connect(folder.state)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (found,))
    connection.close()
    (one,) = said(folder, "state")
    assert one.word is word


def test_a_state_that_is_none(folder: DataFolder) -> None:
    folder.state.write_bytes(b"not a database at all, but long enough to be looked at by SQLite" * 40)
    (one,) = said(folder, "state")
    assert "is no fengsui-state database" in one.cause


def test_a_journal_file_of_a_newer_release(folder: DataFolder) -> None:
    create(folder.journal / f"{99:016d}.db", KIND._replace(version=9))
    (one,) = said(folder, "files")
    assert "has version 9" in one.cause


def test_configured_rules_that_do_not_load(folder: DataFolder) -> None:
    rule = folder.root.parent / "broken.yml"
    rule.write_text("title: x\nlogsource: {product: y}\n")
    change(folder, "name: c", f"name: c\ndetection: {{rules: [{rule}, /nowhere]}}")
    assert any("/nowhere" in each.cause and each.word is Word.BAD for each in said(folder, "rules"))
    change(folder, ", /nowhere", "")
    (one,) = said(folder, "rules")
    assert str(rule) in one.cause
    assert str(rule) in one.fix


def test_the_command_for_programs_and_its_exit(folder: DataFolder) -> None:
    done = CliRunner().invoke(app, ["doctor", "--data", str(folder.root), "--json"])
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["ok"]) == (0, True)
    assert {"word": "ok", "subject": "settings", "subject_zh": "配置"}.items() <= next(
        each for each in answer["found"] if each["subject"] == "settings"
    ).items()
    folder.settings.write_text("[")
    done = CliRunner().invoke(app, ["doctor", "--data", str(folder.root)])
    assert done.exit_code == 1
    assert "\nbad   settings 配置: " in done.stdout


@pytest.mark.parametrize("terminal", [True, False])
def test_what_people_see(terminal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    found = [ok("python", "Python 3.11"), warn("disk", "[red]5 GiB[/]", "plan"), bad("disk", "slow", "buy")]
    show(Console(force_terminal=terminal, no_color=True, width=100), found)
    out = capsys.readouterr().out
    assert "[red]5 GiB[/]" in out  # what is on the disk is not markup
    assert "→ buy" in out
    assert "1 ok, 1 warn, 1 bad" in out
    assert len(out.splitlines()) == (6 if terminal else 4)
