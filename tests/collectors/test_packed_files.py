"""Files that are packed by who rotates them: every line once, whatever is read before, packed in between, or broken."""

import asyncio
import gzip
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from collectors import gunzip, packed_file
from collectors.transports import file
from tests.collectors import watching
from tests.collectors.watching import until


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    for name, value in (("POLL_S", 0.01), ("SCAN_S", 0.02), ("FULL_S", 0.01), ("MOVED_S", 0.05)):
        monkeypatch.setattr(file, name, value)
    monkeypatch.setattr(file, "ROTATED_QUIET_S", 0.2)
    monkeypatch.setattr(file, "UNLINKED_QUIET_S", 0.05)


@pytest.fixture
def logs(source, tmp_path):
    """A function that makes a source of all files in a folder that are named after a.log."""

    def make(**given):
        return source(settings={"paths": [str(tmp_path / "a.log*")], **given})

    return make


running = partial(watching.running, file)


def lines(*numbers):
    return [f"line {n:05}".encode() for n in numbers]


def text(*numbers):
    return b"".join(line + b"\n" for line in lines(*numbers))


def write(path, data, mode="ab"):
    with path.open(mode) as out:
        out.write(data)


def pack(path, to=None):
    """What logrotate does with compress: a new file beside the old one, which then goes."""
    packed = path.with_name(to or f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


async def settled(intake, *expected):
    """Until these lines were handed in, and for a while longer."""
    await until(lambda: len(intake.records) >= len(expected))
    await asyncio.sleep(0.3)
    assert sorted(intake.records) == lines(*expected)


def life(intake, *expected):
    """One life of the transport."""

    async def scenario():
        async with running(intake):
            await settled(intake, *expected)

    asyncio.run(scenario())


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("end", [b"", b"line 00003"])
def test_a_packed_file_is_read_to_its_end_once(memory_intake, logs, tmp_path, follow, end):
    intake = memory_intake(logs(follow=follow))
    write(tmp_path / "a.log.1.gz", gzip.compress(text(1)) + gzip.compress(text(2) + end) + bytes(7))
    expected = (1, 2, 3) if end else (1, 2)
    life(intake, *expected)
    life(intake, *expected)
    assert intake.counters == {("s1", "records"): len(expected)}


@pytest.mark.parametrize("many", [3, 5000])
def test_what_was_not_read_before_it_was_packed_is_read_from_the_packed_file(memory_intake, logs, tmp_path, many):
    intake, log = memory_intake(logs()), tmp_path / "a.log"
    write(log, text(*range(many)))
    life(intake, *range(many))
    write(log, text(many, many + 1))
    log.rename(tmp_path / "a.log.1")
    write(log, text(90_000))
    pack(tmp_path / "a.log.1")
    life(intake, *range(many + 2), 90_000)
    (tmp_path / "a.log.1.gz").rename(tmp_path / "a.log.2.gz")
    life(intake, *range(many + 2), 90_000)


def test_a_file_that_is_packed_while_it_is_read_is_read_once(memory_intake, logs, tmp_path):
    intake, log = memory_intake(logs()), tmp_path / "a.log"

    async def scenario():
        async with running(intake):
            for n in range(0, 4000, 1000):
                write(log, text(*range(n, n + 1000)) + b"line")
                write(log, f" {n + 999:05}\n".encode())
                log.rename(tmp_path / "a.log.1")
                pack(tmp_path / "a.log.1", f"a.log-{n}.gz")
                await asyncio.sleep(0.03)
            await until(lambda: len(intake.records) >= 4004)
            await asyncio.sleep(0.5)

    asyncio.run(scenario())
    assert sorted(intake.records) == sorted([*lines(*range(4000)), *lines(999, 1999, 2999, 3999)])


def test_a_copy_of_a_truncated_file_goes_on_where_that_was_left(memory_intake, source, tmp_path):
    log, copy = tmp_path / "a.log", tmp_path / "copy"
    intake = memory_intake(source(settings={"paths": [str(log), str(tmp_path / "*.gz")]}))

    async def scenario():
        write(log, text(1, 2))
        async with running(intake):
            await until(lambda: intake.records == lines(1, 2))
            write(log, text(3))
            shutil.copy(log, copy)
            write(log, text(7), "wb")
            await until(lambda: lines(7)[0] in intake.records)
            pack(copy, "a.log.1.gz")
            await settled(intake, 1, 2, 3, 7)

    asyncio.run(scenario())
    life(intake, 1, 2, 3, 7)


def test_after_a_crash_it_goes_on_in_the_middle(memory_intake, logs, tmp_path):
    intake = memory_intake(logs())
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(text(*range(90_000))))

    async def crash():
        async with running(intake):
            await until(lambda: len(intake.records) > 30_000)

    asyncio.run(crash())
    (position,) = intake.positions("s1").values()
    assert 0 < position["byte"] == 11 * len(intake.records) < 990_000 and position["packed_bytes"] == 0
    life(intake, *range(90_000))
    assert intake.records == lines(*range(90_000))


def test_what_was_read_to_its_end_is_not_unpacked_again(memory_intake, logs, tmp_path, monkeypatch):
    intake, pieces = memory_intake(logs()), []
    packed = tmp_path / "a.log.gz"
    packed.write_bytes(gzip.compress(text(*range(90_000))))
    life(intake, *range(90_000))
    undo = gunzip.Gunzip.next
    monkeypatch.setattr(gunzip.Gunzip, "next", lambda self: pieces.append(1) or undo(self))
    life(intake, *range(90_000))
    assert len(pieces) == 1  # its head
    (position,) = intake.positions("s1").values()
    assert position["packed_bytes"] == packed.stat().st_size


def test_a_file_that_ends_too_early_goes_on_when_it_grows(memory_intake, logs, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "ROTATED_QUIET_S", 300.0)
    intake, packed = memory_intake(logs()), tmp_path / "a.log.gz"
    whole = gzip.compress(b"".join(os.urandom(3).hex().encode() + b"\n" for _ in range(50_000)))

    async def scenario():
        packed.write_bytes(whole[: len(whole) // 2])
        async with running(intake):
            await until(lambda: intake.records)
            await asyncio.sleep(0.2)
            write(packed, whole[len(whole) // 2 :])
            await until(lambda: len(intake.records) == 50_000)

    asyncio.run(scenario())
    assert intake.records == gzip.decompress(whole).split()
    assert intake.counters == {("s1", "records"): 50_000}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"never packed\n", "no gzip"),
        (gzip.compress(text(1, 2))[:-6], "ends too early"),
        (gzip.compress(text(1, 2)) + b"garbage", "no gzip"),
        (gzip.compress(b"", 9) + gzip.compress(text(1, 2))[:-8] + bytes(8), "incorrect data check"),
    ],
    ids=["text", "cut", "garbage", "checksum"],
)
def test_a_broken_file_is_counted_and_said_once_and_left_alone(memory_intake, logs, caplog, content, why):
    (path,) = (intake := memory_intake(logs())).sources[0].settings["paths"]
    Path(path.replace("*", ".gz")).write_bytes(content)

    async def scenario():
        async with running(intake):
            await until(lambda: intake.counters["s1", "unreadable"])
            await asyncio.sleep(0.4)

    asyncio.run(scenario())
    assert intake.counters["s1", "unreadable"] == 1 and len(caplog.records) == 1
    assert why in caplog.text and "a.log.gz" in caplog.text
    assert intake.records in ([], lines(1, 2))


def test_the_unfinished_line_of_a_broken_file_is_torn(memory_intake, logs, tmp_path):
    intake = memory_intake(logs())
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(text(1) + b"line")[:-4])

    async def scenario():
        async with running(intake):
            await until(lambda: intake.counters["s1", "torn"])

    asyncio.run(scenario())
    assert intake.records == [*lines(1), b"line"]


def test_a_bomb_is_left_alone(memory_intake, logs, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(gunzip, "RATIO_FREE_BYTES", 1_000_000)
    intake = memory_intake(logs())
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"\n" * 30_000_000))

    async def scenario():
        async with running(intake):
            await until(lambda: intake.counters["s1", "unreadable"])
            await asyncio.sleep(0.2)

    asyncio.run(scenario())
    assert "more than 300 times" in caplog.text and intake.counters == {("s1", "unreadable"): 1}


def test_from_end_skips_packed_files_that_are_there_at_the_very_first_start(memory_intake, logs, tmp_path):
    intake, log = memory_intake(logs(**{"from": "end"})), tmp_path / "a.log"
    (tmp_path / "a.log.2.gz").write_bytes(gzip.compress(text(1)))
    write(log, text(2))

    async def scenario():
        async with running(intake):
            await until(lambda: intake.positions("s1"))
            await asyncio.sleep(0.3)

    asyncio.run(scenario())
    write(log, text(3))
    pack(log, "a.log.1.gz")
    life(intake, 3)
    (tmp_path / "a.log.3.gz").write_bytes(gzip.compress(text(4)))
    life(intake, 3, 4)


def test_another_device_number_does_not_read_packed_files_again(memory_intake, logs, tmp_path):
    intake = memory_intake(logs())
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(text(*range(300))))
    life(intake, *range(300))
    intake.held["s1"] = {f"9{stream}": position for stream, position in intake.held["s1"].items()}
    life(intake, *range(300))


def test_a_packed_file_of_other_content_is_read_whole(memory_intake, logs, tmp_path):
    intake, log = memory_intake(logs()), tmp_path / "a.log"
    write(log, text(*range(500)))
    life(intake, *range(500))
    other = text(*range(300)) + text(*range(1000, 1300))  # the same beginning, but not the same before the position
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(other))
    life(intake, *sorted([*range(500), *range(300), *range(1000, 1300)]))


def test_packed_evtx_files(memory_intake, source, tmp_path, evtx_file):
    intake = memory_intake(source(format="evtx", settings={"paths": [str(tmp_path / "*.gz")], "follow": False}))
    data = evtx_file([{"Image": "a.exe"}], [{"Image": "b.exe"}])
    (tmp_path / "a.evtx.gz").write_bytes(gzip.compress(data))

    async def scenario():
        async with running(intake):
            await until(lambda: len(intake.records) == 2)

    asyncio.run(scenario())
    assert b"".join(intake.records) == data[4096:]


def test_packed_files_are_told_by_their_name(tmp_path):
    assert packed_file.is_packed(tmp_path / "a.GZ") and not packed_file.is_packed(tmp_path / "a.gz.log")
