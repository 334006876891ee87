"""Access on the terminal: links, people, the audit record; and a data directory is an evaluation or real for ever."""

import re
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from soc_center.cli import app
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.link import console_address, console_listen
from soc_center.prepare import prepare
from soc_center.settings import Listen, Settings, write_settings
from soc_model.audit import AuditFilter
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, Role
from soc_store.state import State
from tests.center.seated import seat_all


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A real data directory before anybody is set up."""
    made = DataFolder(tmp_path / "data").make()
    write_settings(made.settings, Settings(version=1, name="test", units=[], sources=[]))
    prepare(made, "real", {})
    return made


def said(folder: DataFolder, *command: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(app, [*command, "--data", str(folder.root)], catch_exceptions=False)
    assert done.exit_code == exit_code, done.output
    return done.output


def purpose_of(folder: DataFolder, link: str) -> tuple[str, str]:
    """What a link is for, and for whom."""
    state = State.open(folder.state_url)
    token = link.rpartition("/")[2]
    found = state.people.invitation(sha256(token.encode()).hexdigest(), now_us())
    state.close()
    assert found is not None and found.person is not None
    return found.purpose, found.person.name or next(iter(found.person.roles))


def links_in(output: str) -> list[str]:
    return re.findall(r"http\S+/setup/\S+", output)


def test_one_link_for_each_administrator_who_is_not_set_up(folder: DataFolder) -> None:
    output = said(folder, "link")
    assert {purpose_of(folder, each)[1] for each in links_in(output)} == ADMINISTRATORS
    assert all(title in output for title in ("系统管理员", "安全管理员", "审计管理员"))


@pytest.mark.parametrize("role", sorted(ADMINISTRATORS))
def test_a_link_for_one_role_ends_the_one_before_it(folder: DataFolder, role: Role) -> None:
    before, after = (links_in(said(folder, "link", "--role", role.value)) for _ in range(2))
    assert purpose_of(folder, after[0]) == ("setup", role)
    with pytest.raises(AssertionError):
        purpose_of(folder, before[0])


def test_who_is_set_up_gets_a_link_by_name_and_no_other(folder: DataFolder) -> None:
    seat_all(folder)
    with pytest.raises(Problem, match="set up already"):
        said(folder, "link")
    [link] = links_in(said(folder, "link", "--person", "SYSTEM"))
    assert purpose_of(folder, link) == ("reset", "system")
    with pytest.raises(Problem, match="no person of that name"):
        said(folder, "link", "--person", "nobody")


def test_no_link_is_made_for_a_role_that_is_no_administrators(folder: DataFolder) -> None:
    with pytest.raises(Problem, match="--role"):
        said(folder, "link", "--role", "analyst")


def test_people_are_listed_with_roles_and_state(folder: DataFolder) -> None:
    said(folder, "link")
    assert said(folder, "people", "list").count("not set up yet") == 3
    seat_all(folder)
    listed = said(folder, "people", "list").splitlines()
    assert [("system_administrator" in each, each.endswith("  set up")) for each in listed if "  system " in each] == [
        (True, True)
    ]


def test_the_audit_record_holds_until_somebody_edits_the_file(folder: DataFolder) -> None:
    seat_all(folder)
    assert re.search(r"consistent, \d+ entries; head [0-9a-f]{64}", said(folder, "audit", "verify"))
    tamper(folder, "UPDATE audit SET actor = 'somebody else' WHERE seq = 3")
    assert "entry 3: is not as it was written" in said(folder, "audit", "verify", exit_code=1)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        ("DELETE FROM audit WHERE seq = 2", "missing before 3"),
        ("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)", "missing, as are all up to"),
        ("UPDATE audit SET at = at + 1, digest = digest WHERE seq = 1", "entry 1: is not as it was written"),
        ("UPDATE audit SET previous = digest WHERE seq = 2", "does not follow"),
    ],
)
def test_what_was_removed_or_changed_is_named(folder: DataFolder, edit: str, fault: str) -> None:
    seat_all(folder)
    tamper(folder, edit)
    output = said(folder, "audit", "verify", exit_code=1)
    assert fault in output and "BROKEN" in output


def tamper(folder: DataFolder, edit: str) -> None:
    """Write the file past the triggers, as its owner can."""
    database = sqlite3.connect(folder.state)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {name}")
    database.execute(edit)
    database.commit()
    database.close()


@pytest.mark.parametrize(("first", "then"), [("real", "evaluation"), ("evaluation", "real")])
def test_a_data_directory_never_changes_its_mode(tmp_path: Path, first: str, then: str) -> None:
    folder = DataFolder(tmp_path / "data").make()
    prepare(folder, first, {})  # type: ignore[arg-type]
    with pytest.raises(Problem, match="--evaluation"):
        prepare(folder, then, {"evaluation": "0" * 64})  # type: ignore[arg-type]
    state = State.open(folder.state_url)
    assert (state.mode(), state.audit.entries(AuditFilter(person="terminal"))) == (first, [])
    state.close()


@pytest.mark.parametrize(
    ("console", "certificate", "before", "after"),
    [
        ("127.0.0.1:8443", "", "http://127.0.0.1:8443", "http://127.0.0.1:8443"),
        ("127.0.0.1:8443", "c.pem", "http://127.0.0.1:8443", "https://soc.example:8443"),
        ("0.0.0.0:8443", "c.pem", "http://127.0.0.1:8443", "https://soc.example:8443"),
        ("10.1.2.3:8443", "c.pem", "http://127.0.0.1:8443", "https://soc.example:8443"),
    ],
)
def test_until_it_is_set_up_the_console_serves_this_machine_only(
    console: str, certificate: str, before: str, after: str
) -> None:
    settings = Settings(
        version=1,
        name="test",
        units=[],
        sources=[],
        listen=Listen(console=console, certificate=certificate),
        hosts=["soc.example"],
    )
    assert [console_address(settings, opened=opened) for opened in (False, True)] == [before, after]
    assert console_listen(settings, opened=True) == console


def test_a_start_without_the_key_of_the_codes_says_what_to_do(folder: DataFolder) -> None:
    seat_all(folder)
    folder.secret_key.unlink()
    with pytest.raises(Problem, match="bring it back"):
        prepare(folder, "real", {})
    assert not folder.secret_key.exists()
    folder.secret_key.touch(0o600)
    prepare(folder, "real", {})
    assert folder.secret_key.stat().st_size
