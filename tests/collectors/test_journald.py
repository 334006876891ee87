"""The journal: every entry once, in order, over restarts of reader and child; and what its entries mean."""

import asyncio
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from shutil import which

import pytest

from collectors.formats import journald as form
from collectors.transports import journald
from tests.collectors import watching
from tests.collectors.watching import until
from tests.conftest import absent


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(journald, "RETRY_S", (0.01, 0.1))


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """The file of a journalctl that stands first on the PATH."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{(Path(__file__).parent / 'fake_journalctl.py').read_text()}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_JOURNAL", str(tmp_path / "journal"))
    (tmp_path / "journal").touch()
    return tmp_path / "journal"


def write(journal, *numbers):
    with journal.open("a") as out:
        for n in numbers:
            out.write(json.dumps({"__CURSOR": f"c{n}", "MESSAGE": f"entry {n}"}) + "\n")


def numbers(intake):
    return [int(json.loads(record)["MESSAGE"].split()[1]) for record in intake.records]


running = partial(watching.running, journald)


@pytest.fixture
def follow(source):
    """A function that makes a source of the journal."""
    return lambda **settings: source(transport="journald", format="journald", settings=settings)


def test_entries_come_once_over_a_restart(journal, follow, memory_intake):
    async def play():
        intake = memory_intake(follow())
        write(journal, 1, 2)
        async with running(intake):
            await until(lambda: len(intake.records) == 2)
            write(journal, 3)
            await until(lambda: len(intake.records) == 3)
        write(journal, 4)
        async with running(intake):
            await until(lambda: len(intake.records) == 4)
        return intake

    intake = asyncio.run(play())
    assert numbers(intake) == [1, 2, 3, 4]
    assert intake.positions("s1")["journal"]["cursor"] == "c4"
    assert intake.counters == {("s1", "records"): 4}
    assert "--after-cursor=c3" in journal.with_suffix(".calls").read_text().splitlines()[-1]


def test_from_end_begins_behind_the_last_entry_and_stays_there(journal, follow, memory_intake):
    async def play():
        intake = memory_intake(follow(**{"from": "end"}))
        write(journal, 1, 2)
        async with running(intake):
            await until(lambda: intake.positions("s1"))
        write(journal, 3)
        async with running(intake):
            await until(lambda: intake.records)
        return intake

    assert numbers(asyncio.run(play())) == [3]


@pytest.mark.parametrize("dies", ["0", "2"])
def test_entries_of_an_earlier_boot_come_too(journal, follow, memory_intake, monkeypatch, dies):
    monkeypatch.setenv("FAKE_JOURNAL_BOOT", "4")
    monkeypatch.setenv("FAKE_JOURNAL_DIES", dies)

    async def play():
        intake = memory_intake(follow())
        intake.held["s1"] = {"journal": {"cursor": "c1"}}
        write(journal, *range(1, 7))
        async with running(intake):
            await until(lambda: len(intake.records) >= 5)
        return intake

    assert numbers(asyncio.run(play())) == [2, 3, 4, 5, 6]


def test_a_child_that_dies_in_the_middle_loses_and_doubles_nothing(journal, follow, memory_intake, monkeypatch):
    monkeypatch.setenv("FAKE_JOURNAL_DIES", "2")

    async def play():
        intake = memory_intake(follow())
        intake.full = 2
        write(journal, *range(1, 8))
        async with running(intake):
            await until(lambda: len(intake.records) >= 7)
        return intake

    assert numbers(asyncio.run(play())) == [1, 2, 3, 4, 5, 6, 7]


def test_a_child_that_gives_nothing_is_counted_once_and_tried_later(journal, follow, memory_intake, caplog):
    async def play():
        intake = memory_intake(follow())
        intake.held["s1"] = {"journal": {"cursor": "wrong"}}
        async with running(intake):
            await until(lambda: journal.with_suffix(".calls").exists())
            await until(lambda: len(journal.with_suffix(".calls").read_text().splitlines()) >= 3)
        return intake

    assert asyncio.run(play()).counters == {("s1", "unreadable"): 1}
    assert "Failed to seek to cursor" in caplog.text


def test_without_journalctl_it_says_so(follow, memory_intake, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))

    async def play():
        intake = memory_intake(follow())
        async with running(intake):
            await until(lambda: intake.counters)

    asyncio.run(play())
    assert "no journalctl" in caplog.text


def test_an_oversize_entry_keeps_its_cursor(journal, follow, memory_intake):
    async def play():
        intake = memory_intake(follow())
        journal.write_text(json.dumps({"__CURSOR": "c1", "MESSAGE": "x" * (2 << 20)}) + "\n")
        async with running(intake):
            await until(lambda: intake.records)
        return intake

    intake = asyncio.run(play())
    assert intake.counters["s1", "oversize"] == 1
    assert intake.positions("s1")["journal"]["cursor"] == "c1"


def test_the_real_journal_is_read(follow, memory_intake):
    if which("journalctl") is None:
        absent("journal", "no journalctl on the PATH")
    shown = subprocess.run(["journalctl", "--lines=1", "--output=json", "--quiet"], capture_output=True, check=False)
    if shown.returncode or not shown.stdout:
        absent("journal", "journalctl shows no entry here")

    async def play():
        intake = memory_intake(follow())
        async with running(intake):
            await until(lambda: intake.records, 30)
        return intake

    intake = asyncio.run(play())
    groups = form.parse(intake.records, {}, lambda type_: None)
    assert not any(group.unparsed for group in groups)
    assert all(time for group in groups for time in group.times)


def events(*entries):
    """Header and fields of each entry, in order."""
    records = [json.dumps(entry).encode() for entry in entries]
    found = {}
    for group in form.parse(records, {}, lambda type_: None):
        for n, i in enumerate(group.records):
            header = {name: column[n] for name, column in group.header.items()}
            found[i] = (group.type, header, group.fields[n])
    return [found[i] for i in range(len(entries))]


def test_a_login_means_the_same_as_in_a_syslog_file():
    message = "Failed password for invalid user admin from 203.0.113.9 port 51022 ssh2"
    [(type_, header, fields)] = events(
        {"MESSAGE": message, "SYSLOG_IDENTIFIER": "sshd", "_PID": "9", "_HOSTNAME": "h", "PRIORITY": "6", "_EXE": "/s"}
    )
    assert (type_.logsource.product, type_.logsource.service) == ("linux", "sshd")
    assert (header["user.name"], header["source.ip"], header["source.port"]) == ("admin", "203.0.113.9", 51022)
    assert (header["host.name"], header["process.executable"]) == ("h", "/s")
    assert fields.items() >= {"program": "sshd", "pid": "9", "severity": "info", "MESSAGE": message}.items()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([104, 105, 255], "hi\\xff"),
        (["one", "two"], "one\ntwo"),
        (["one", [116, 119, 111]], "one\ntwo"),
        ([300, 1], "300\n1"),
        (None, ""),
        ({"a": 1}, ""),
        (7, "7"),
    ],
)
def test_hostile_values_are_text(given, message):
    [(_, _, fields)] = events({"MESSAGE": given})
    assert fields["message"] == message


def test_the_cursor_is_the_identity_and_the_time_is_the_journals():
    entry = {"__CURSOR": "c1", "__REALTIME_TIMESTAMP": "1772442001000123", "MESSAGE": "x"}
    [group] = form.parse([json.dumps(entry).encode()], {}, lambda type_: None)
    assert (group.identities, group.times) == (["c1"], [1772442001000123])
