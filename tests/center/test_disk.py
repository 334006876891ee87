"""Room on the disk: refused in time and loudly, taken again when there is some, and how long it will last."""

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from collectors.intake import IntakeFull
from soc_center.disk import DiskRoom, forecast_days
from soc_center.gauge import now_us
from soc_center.processes.collect import TransportIntake
from soc_store.group_commit import QUEUE_BYTES, GroupCommit
from soc_store.journal import Journal, JournalReader
from tests.running import KEY, Center, wait_for
from tests.store.making import DAY, NOON, chunk, source


class Disk:
    """A disk whose free room is what the test says, and how often it was looked at."""

    def __init__(self, free: int) -> None:
        self.free, self.at, self.looks = free, 0.0, 0
        self.said: list[str] = []

    def __call__(self, folder: Path) -> int:
        self.looks += 1
        return self.free

    def room(self, least: int = 100) -> DiskRoom:
        return DiskRoom(Path("/"), least, self.said.append, free=self, monotonic=lambda: self.at)


def test_it_is_looked_at_once_a_second_and_said_when_it_changes() -> None:
    disk = Disk(100)
    room = disk.room()
    assert [room.enough() for _ in range(1000)] == [True] * 1000
    assert disk.looks == 1
    disk.free, disk.at = 99, 1.0
    assert [room.enough(), room.enough()] == [False, False]
    disk.free, disk.at = 100, 2.0
    assert room.enough()
    assert [("refused" in text, "goes on" in text) for text in disk.said] == [(True, False), (False, True)]


def test_nothing_is_taken_in_while_the_disk_is_nearly_full(tmp_path: Path) -> None:
    async def append() -> bool:
        disk = Disk(99)
        journal = Journal.open(tmp_path, {"s1": source()}, now=now_us)
        commit = GroupCommit(journal, lambda: None)
        running = asyncio.create_task(commit.run())
        intake = TransportIntake([source()], journal, commit, disk.room())
        for _ in range(2):
            with pytest.raises(IntakeFull, match="nearly full"):
                await intake.append([chunk(b"a"), chunk(b"b")])
        disk.free, disk.at = 100, 1.0
        taken = await intake.append([chunk(b"c")])
        running.cancel()
        await asyncio.wait([running])
        journal.close()
        return taken

    assert asyncio.run(append())
    reader = JournalReader(tmp_path)
    assert (reader.last(), reader.counters()) == (1, {"s1": {"refused_disk_full": 2}})
    reader.close()


def test_a_full_queue_is_counted_with_the_source(tmp_path: Path) -> None:
    async def append() -> None:
        journal = Journal.open(tmp_path, {"s1": source()}, now=lambda: NOON)
        commit = GroupCommit(journal, lambda: None)
        intake = TransportIntake([source()], journal, commit, Disk(100).room())
        waiting = asyncio.create_task(intake.append([chunk(b"x" * QUEUE_BYTES)]))
        await asyncio.sleep(0)
        with pytest.raises(IntakeFull):
            await intake.append([chunk(b"a")])
        running = asyncio.create_task(commit.run())
        await waiting
        running.cancel()
        await asyncio.wait([running])
        journal.close()

    asyncio.run(append())
    reader = JournalReader(tmp_path)
    assert reader.counters() == {"s1": {"refused_queue_full": 1}}
    reader.close()


@pytest.mark.parametrize(
    ("grown", "days"),
    [
        ({}, None),
        ({"2023-11-14": 100}, 10.0),
        ({"2023-11-14": 300, "2023-11-13": 100}, 5.0),
        ({"2023-11-14": 100, "2023-11-12": 200}, 10.0),
        ({"2023-11-14": 100, "2023-11-15": 9999}, 10.0),
        ({"2023-11-15": 100}, 5.0),
        ({"2023-01-01": 100}, None),
    ],
)
def test_days_left_are_as_the_last_days_were(grown: dict[str, int], days: float | None) -> None:
    assert forecast_days(1000, grown, NOON) == days


def test_a_day_that_has_just_begun_tells_nothing_and_no_room_is_no_days() -> None:
    assert forecast_days(1000, {"2023-11-15": 100}, NOON - DAY // 2 + 60_000_000) is None
    assert forecast_days(-5, {"2023-11-14": 100}, NOON) == 0.0


@pytest.mark.timeout(120)
def test_a_center_near_the_limit_answers_429_and_shows_it(tmp_path: Path) -> None:
    key = {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "trust": "key"}
    http = {"id": "http", "name": "http", "transport": "http", "format": "json", "layer": "host", "unit": "unit", **key}
    center = Center(tmp_path, [http], archive={"min_free_bytes": 1 << 60})
    center.start()
    try:
        wait_for(lambda: center.gauge("collect") and center.send("http", [json.dumps({}).encode()]) == 429, 60, "429")
        reader = JournalReader(center.data / "journal")
        wait_for(lambda: reader.counters().get("http", {}).get("refused_disk_full"), 20, "the counter")
        reader.close()
        assert center.gauge("collect")["values"]["disk_full"] is True
    finally:
        center.stop()
