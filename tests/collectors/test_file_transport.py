"""Files that grow, rotate, are truncated, and readers that are stopped: every line once, in order."""

import asyncio
import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from collectors.transports import file
from tests.collectors import watching
from tests.collectors.watching import until


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(file, "POLL_S", 0.01)
    monkeypatch.setattr(file, "SCAN_S", 0.02)
    monkeypatch.setattr(file, "FULL_S", 0.01)
    monkeypatch.setattr(file, "MOVED_S", 0.05)
    monkeypatch.setattr(file, "ROTATED_QUIET_S", 0.1)
    monkeypatch.setattr(file, "UNLINKED_QUIET_S", 0.05)


@pytest.fixture
def files(source, tmp_path):
    """A function that makes a source of the .log files in a folder."""

    def make(**given):
        settings = {"paths": [str(tmp_path / "*.log")], **given.pop("settings", {})}
        return source(settings=settings, **given)

    return make


running = partial(watching.running, file)


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
    assert intake.counters == {("s1", "records"): 4, ("s1", "torn"): 1}


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


async def life(intake, *expected):
    """One life of the transport, until it has handed in these lines."""
    async with running(intake):
        await until(lambda: sorted(intake.records) == lines(*expected))
        await asyncio.sleep(0.1)
    assert sorted(intake.records) == lines(*expected)


@pytest.mark.parametrize("first", [(), (2,)])
@pytest.mark.parametrize("rotated", [False, True])
def test_from_end_skips_only_at_the_very_first_start(memory_intake, files, tmp_path, first, rotated):
    intake, log = memory_intake(files(settings={"from": "end"})), tmp_path / "a.log"
    write(log, text(1))

    async def scenario():
        async with running(intake):
            await until(lambda: intake.positions("s1"))
            write(log, text(*first))
            await until(lambda: intake.records == lines(*first))
        write(log, text(3))
        if rotated:
            log.rename(tmp_path / "a.log.1")
            write(log, text(4))
        await life(intake, *first, 3, *([4] if rotated else []))

    asyncio.run(scenario())


def test_from_end_reads_a_file_that_came_after_the_very_first_start(memory_intake, files, tmp_path):
    intake = memory_intake(files(settings={"from": "end"}))

    async def scenario():
        async with running(intake):
            await until(lambda: intake.positions("s1"))
        write(tmp_path / "a.log", text(1))
        await life(intake, 1)

    asyncio.run(scenario())


def open_files(folder):
    """The files of a folder that this process holds open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since they were listed
            links.append(str(descriptor.readlink()))
    return [link for link in links if link.startswith(f"{folder}/")]


def test_a_renamed_file_is_still_read_when_it_is_written_to_much_later(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        with log.open("ab", buffering=0) as writer:
            writer.write(text(1))
            async with running(intake):
                await until(lambda: intake.records == lines(1))
                log.rename(tmp_path / "a.log.1")
                writer.write(b"torn ")
                await until(lambda: intake.counters["s1", "torn"] == 1)
                await until(lambda: len(open_files(tmp_path)) == 1)  # the writer's
                writer.write(text(2))
                await until(lambda: intake.records == [*lines(1), b"torn ", *lines(2)])

    asyncio.run(scenario())


def test_a_renamed_file_stays_open_for_minutes_and_a_deleted_one_does_not(memory_intake, files, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "ROTATED_QUIET_S", 300.0)
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1))
        async with running(intake):
            await until(lambda: intake.records == lines(1))
            log.rename(tmp_path / "a.log.1")
            await asyncio.sleep(0.3)
            assert open_files(tmp_path) == [str(tmp_path / "a.log.1")]
            (tmp_path / "a.log.1").unlink()
            await until(lambda: not open_files(tmp_path))

    asyncio.run(scenario())


def test_only_so_many_renamed_files_stay_open(memory_intake, files, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "ROTATED_QUIET_S", 300.0)
    monkeypatch.setattr(file, "LEFT_FILES", 2)
    intake = memory_intake(files())

    async def scenario():
        for n in range(6):
            write(tmp_path / f"{n}.log", text(n))
        async with running(intake):
            await until(lambda: len(intake.records) == 6)
            for n in range(6):
                (tmp_path / f"{n}.log").rename(tmp_path / f"{n}.log.1")
            await until(lambda: len(open_files(tmp_path)) == 2)

    asyncio.run(scenario())


def test_two_rotated_files_that_grew_do_not_wait_for_each_other(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1))
        await life(intake, 1)
        log.rename(tmp_path / "a.log.1")
        write(log, text(2))
        await life(intake, 1, 2)
        write(tmp_path / "a.log.1", text(3))
        write(log, text(4))
        log.rename(tmp_path / "a.log.2")
        await life(intake, 1, 2, 3, 4)

    asyncio.run(scenario())


def test_links_that_lead_nowhere_do_not_hide_a_renamed_file(memory_intake, files, tmp_path):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        for n in range(5):
            (tmp_path / f"link{n}").symlink_to(tmp_path / "nowhere")
        write(log, text(1))
        await life(intake, 1)
        write(log, text(2))
        log.rename(tmp_path / "a.log.1")
        await life(intake, 1, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize("other", ["paths", "content"])
def test_a_renamed_file_that_is_not_ours_is_not_read(memory_intake, files, source, tmp_path, other):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1))
        await life(intake, 1)
        if other == "paths":  # the settings say that it is no longer to be read
            intake.sources = [source(settings={"paths": [str(tmp_path / "b.log")]})]
        log.rename(tmp_path / "a.txt")
        write(tmp_path / "a.txt", text(8, 9), "wb" if other == "content" else "ab")
        write(tmp_path / "b.log", text(2))
        await life(intake, 1, 2)

    asyncio.run(scenario())


def on_another_device(intake):
    """All positions as they were kept before the device number changed."""
    intake.held["s1"] = {f"9{stream}": position for stream, position in intake.held["s1"].items()}


@pytest.mark.parametrize(("name", "n"), [("a.log", 1), ("a.log", 200), ("b.log", 200)])
def test_another_device_number_does_not_read_files_again(memory_intake, files, tmp_path, name, n):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(*range(n)))
        await life(intake, *range(n))
        on_another_device(intake)
        log.rename(tmp_path / name)
        write(tmp_path / name, text(n))
        await life(intake, *range(n + 1))
        await life(intake, *range(n + 1))

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["a.log", "b.log"])
def test_a_new_file_that_begins_like_another_is_read_whole(memory_intake, files, tmp_path, name):
    intake, log = memory_intake(files()), tmp_path / "a.log"

    async def scenario():
        write(log, text(1))
        await life(intake, 1)
        on_another_device(intake)
        log.rename(tmp_path / "kept")  # so that its inode is not given to the new one
        write(tmp_path / name, text(1, 2))
        await life(intake, 1, 1, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("corrected", "decoded"),
    [
        ({"options": {"zone": "Asia/Shanghai"}}, {"zone": "Asia/Shanghai", "codec": "utf-16-le"}),
        ({"format": "json"}, {"zone": "UTC", "codec": "utf-16-le"}),
    ],
)
def test_corrected_options_and_formats_hold_for_known_files(memory_intake, files, tmp_path, corrected, decoded):
    intake, log = memory_intake(files(options={"zone": "UTC"})), tmp_path / "a.log"

    async def scenario():
        write(log, "一\n".encode("utf-16"))
        async with running(intake):
            await until(lambda: len(intake.records) == 1)
        intake.sources = [files(**{"options": {"zone": "UTC"}, **corrected})]
        write(log, "二\n".encode("utf-16-le"))
        async with running(intake):
            await until(lambda: len(intake.records) == 2)

    asyncio.run(scenario())
    assert intake.records[1] == "二".encode("utf-16-le")
    assert {name: intake.chunks[1].context.get(name) for name in decoded} == decoded


def test_positions_of_files_that_are_there_are_committed_again(memory_intake, files, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "REFRESH_S", 0.05)
    intake = memory_intake(files())

    async def scenario():
        write(tmp_path / "a.log", text(1))
        async with running(intake):
            await until(lambda: intake.positions("s1"))
            before = intake.held.pop("s1")
            await until(lambda: intake.positions("s1"))
        assert intake.held["s1"] == before and intake.records == lines(1)

    asyncio.run(scenario())


def test_what_is_gone_is_forgotten_and_counted_when_it_comes_back(memory_intake, files, tmp_path):
    intake, link = memory_intake(files()), tmp_path / "link.log"

    async def scenario():
        async with running(intake):
            for n in (1, 2):
                link.symlink_to("nowhere")
                await until(lambda n=n: intake.counters["s1", "unreadable"] == n)
                link.unlink()
                await asyncio.sleep(0.1)

    asyncio.run(scenario())


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
