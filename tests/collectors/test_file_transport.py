"""Files that grow, rotate, are truncated, and readers that are stopped: every line once, in order."""

import asyncio
import os
import shutil
from contextlib import asynccontextmanager, suppress

import pytest

from collectors.transports import file


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(file, "POLL_S", 0.01)
    monkeypatch.setattr(file, "SCAN_S", 0.02)
    monkeypatch.setattr(file, "FULL_S", 0.01)
    monkeypatch.setattr(file, "ROTATED_QUIET_S", 0.1)


@pytest.fixture
def files(source, tmp_path):
    """A function that makes a source of the .log files in a folder."""

    def make(**given):
        settings = {"paths": [str(tmp_path / "*.log")], **given.pop("settings", {})}
        return source(settings=settings, **given)

    return make


@asynccontextmanager
async def running(intake):
    task = asyncio.create_task(file.run(intake))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition, within_s=10.0):
    """Wait for a condition; an assertion error tells when it never comes."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


def lines(*numbers):
    return [f"line {n:03}".encode() for n in numbers]


def text(*numbers):
    return b"".join(line + b"\n" for line in lines(*numbers))


def write(path, data, mode="ab"):
    with path.open(mode) as out:
        out.write(data)


def test_lines_are_followed_and_an_unfinished_one_waits(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1, 2) + b"line 0")
        async with running(intake):
            await until(lambda: intake.records == lines(1, 2))
            await asyncio.sleep(0.1)
            assert intake.records == lines(1, 2)
            write(log, b"03\n")
            await until(lambda: intake.records == lines(1, 2, 3))

    asyncio.run(scenario())
    assert intake.counters["s1", "records"] == 3


def test_a_restart_goes_on_where_the_journal_ends(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario(expected):
        async with running(intake):
            await until(lambda: len(intake.records) == expected)

    write(log, text(1, 2) + b"line 0")
    asyncio.run(scenario(2))
    write(log, b"03\n" + text(4))
    asyncio.run(scenario(4))
    assert intake.records == lines(1, 2, 3, 4)


def test_a_rotated_file_is_finished_before_its_successor(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1))
        async with running(intake):
            await until(lambda: intake.records == lines(1))
            log.rename(tmp_path / "a.log.1")
            write(
                tmp_path / "a.log.1", text(2) + b"line 003"
            )  # the writer has not noticed yet, and never ends its line
            await until(lambda: lines(2)[0] in intake.records)
            write(log, text(4))
            await until(lambda: len(intake.records) == 4)

    asyncio.run(scenario())
    assert sorted(intake.records) == lines(1, 2, 3, 4) and intake.records[:2] == lines(1, 2)


def test_a_file_rotated_while_we_were_stopped_is_finished_too(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario(expected):
        async with running(intake):
            await until(lambda: len(intake.records) == expected)

    write(log, text(1))
    asyncio.run(scenario(1))
    write(log, text(2))
    log.rename(tmp_path / "a.log.1")
    write(log, text(3))
    asyncio.run(scenario(3))
    assert sorted(intake.records) == lines(1, 2, 3)


@pytest.mark.parametrize("regrown", [text(7), text(7, 8, 9, 10, 11)])
def test_a_truncated_file_begins_anew(memory_intake, files, tmp_path, regrown):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1, 2) + b"line 0")
        async with running(intake):
            await until(lambda: intake.records == lines(1, 2))
            await asyncio.sleep(0.05)
            shutil.copy(log, tmp_path / "a.log.1")
            write(log, regrown, "wb")
            await until(lambda: intake.records[3:] == regrown.splitlines())

    asyncio.run(scenario())
    assert intake.records[:3] == [*lines(1, 2), b"line 0"]
    assert intake.counters["s1", "torn"] == 1


def test_an_inode_given_to_another_file_begins_at_its_beginning(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario(expected):
        async with running(intake):
            await until(lambda: len(intake.records) == expected)

    write(log, text(1, 2, 3))
    asyncio.run(scenario(3))
    write(log, text(11, 12, 13, 14, 15), "wb")  # the same inode, other content, larger than before
    asyncio.run(scenario(8))
    assert intake.records[3:] == lines(11, 12, 13, 14, 15)


def test_whole_files_are_read_to_their_end_once(memory_intake, files, tmp_path):
    intake = memory_intake(files(settings={"follow": False}))

    async def scenario():
        write(tmp_path / "a.log", text(1) + b"line 002")
        async with running(intake):
            await until(lambda: intake.records == lines(1, 2))
            write(tmp_path / "b.log", text(3))
            await until(lambda: intake.records == lines(1, 2, 3))
            await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert intake.records == lines(1, 2, 3)


def test_an_evtx_file_is_read_whole(memory_intake, files, tmp_path, evtx_file):
    intake = memory_intake(files(format="evtx", settings={"follow": False}))
    data = evtx_file([{"Image": "a.exe"}], [{"Image": "b.exe"}])

    async def scenario():
        write(tmp_path / "a.log", data + bytes(65536))
        async with running(intake):
            await until(lambda: len(intake.records) == 2)

    asyncio.run(scenario())
    assert b"".join(intake.records) == data[4096:] and intake.chunks[0].context["header"] == data[:4096]


def test_from_end_skips_what_is_there_but_not_what_comes(memory_intake, files, tmp_path):
    intake, log = memory_intake(files(settings={"from": "end"})), tmp_path / "a.log"

    async def scenario():
        write(log, text(1, 2))
        async with running(intake):
            await asyncio.sleep(0.2)
            write(log, text(3))
            write(tmp_path / "b.log", text(4))
            await until(lambda: len(intake.records) == 2)

    asyncio.run(scenario())
    assert sorted(intake.records) == lines(3, 4)


def test_a_byte_order_mark_is_known_after_a_restart(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario(expected):
        async with running(intake):
            await until(lambda: len(intake.records) == expected)

    write(log, "一\n".encode("utf-16"))
    asyncio.run(scenario(1))
    write(log, "二\n".encode("utf-16-le"))
    asyncio.run(scenario(2))
    assert intake.records[1] == "二".encode("utf-16-le") and intake.chunks[1].context["codec"] == "utf-16-le"


def test_a_full_journal_loses_and_repeats_nothing(memory_intake, files, tmp_path):
    intake = memory_intake(files())
    intake.full = 5

    async def scenario():
        write(tmp_path / "a.log", text(*range(500)))
        async with running(intake):
            await until(lambda: len(intake.records) >= 500)

    asyncio.run(scenario())
    assert intake.full == 0 and intake.records == lines(*range(500))


def test_what_cannot_be_read_is_counted_once_and_others_are_read(memory_intake, files, tmp_path, monkeypatch, caplog):
    intake = memory_intake(files())
    secret = tmp_path / "secret.log"
    opening = file.Following

    def refusing(path, *rest):
        if path == secret:
            raise PermissionError(13, "Permission denied")
        return opening(path, *rest)

    async def scenario():
        write(secret, text(1))
        write(tmp_path / "z.log", text(2))
        async with running(intake):
            await until(lambda: intake.records == lines(2))
            await asyncio.sleep(0.1)

    monkeypatch.setattr(file, "Following", refusing)
    asyncio.run(scenario())
    assert intake.counters["s1", "unreadable"] == 1 and "secret.log: Permission denied" in caplog.text


def test_folders_pipes_and_empty_files_do_no_harm(memory_intake, files, tmp_path):
    intake = memory_intake(files())

    async def scenario():
        (tmp_path / "folder.log").mkdir()
        os.mkfifo(tmp_path / "pipe.log")
        (tmp_path / "loop.log").symlink_to(tmp_path / "loop.log")
        write(tmp_path / "empty.log", b"")
        write(tmp_path / "a.log", text(1))
        async with running(intake):
            await until(lambda: intake.records == lines(1))

    asyncio.run(scenario())


def test_a_position_is_where_the_rest_begins(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1) + b"unfinished")
        async with running(intake):
            await until(lambda: len(intake.records) == 1)

    asyncio.run(scenario())
    (position,) = intake.positions("s1").values()
    assert position["byte"] == 9 and position["path"] == str(log)
    assert position["fingerprint_bytes"] == 19 and len(position["fingerprint"]) == 64


def test_a_large_file_does_not_block_the_event_loop(memory_intake, files, tmp_path):
    intake, gaps = memory_intake(files()), []

    async def scenario():
        write(tmp_path / "a.log", (b"x" * 200 + b"\n") * 100_000)
        async with running(intake):
            loop = asyncio.get_running_loop()
            while len(intake.records) < 100_000:
                before = loop.time()
                await asyncio.sleep(0)
                gaps.append(loop.time() - before)

    asyncio.run(scenario())
    gaps.sort()
    assert gaps[len(gaps) * 95 // 100] < 0.02
