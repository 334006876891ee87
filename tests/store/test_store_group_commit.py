"""Group commit: durable before it returns, bounded, and honest when the journal fails."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from soc_model.problem import Problem
from soc_store import group_commit
from soc_store.group_commit import Full, GroupCommit
from soc_store.journal import Journal, JournalReader, decode_batch
from tests.store.making import Clock, chunk, source

SOURCES = {"s1": source("s1"), "s2": source("s2")}


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(tmp_path, SOURCES, now=Clock())
    yield opened
    opened.close()


@asynccontextmanager
async def running(journal, on_commit=lambda: None, **given):
    group = GroupCommit(journal, on_commit, **given)
    task = asyncio.create_task(group.run())
    yield group
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def batches(folder):
    with closing(JournalReader(folder)) as reader:
        return [decode_batch(blob) for _, blob in reader.read(0, 1000)]


def counters(folder):
    with closing(JournalReader(folder)) as reader:
        return reader.counters()


def test_chunks_of_many_sources_share_one_batch(tmp_path, journal):
    woken = []

    async def main():
        async with running(journal, lambda: woken.append(1)) as group:
            sent = [group.append([chunk(b"%d" % n, source_id=f"s{n % 2 + 1}")]) for n in range(20)]
            assert await asyncio.gather(*sent) == [True] * 20

    asyncio.run(main())
    (batch,) = batches(tmp_path)
    assert ([one.records[0] for one in batch.chunks], len(woken)) == ([b"%d" % n for n in range(20)], 1)


def test_append_returns_only_after_the_commit(tmp_path, journal, monkeypatch):
    order = []
    commit = journal.commit
    monkeypatch.setattr(journal, "commit", lambda *values: (commit(*values), order.append("commit")))

    async def main():
        async with running(journal) as group:
            await group.append([chunk(b"a")])
            order.append("returned")

    asyncio.run(main())
    assert order == ["commit", "returned"]


def test_256_kib_are_committed_without_waiting(journal, monkeypatch):
    monkeypatch.setattr(group_commit, "COMMIT_S", 60.0)

    async def main():
        async with running(journal) as group:
            await asyncio.wait_for(group.append([chunk(b"x" * 262_144)]), 20)

    asyncio.run(main())


def test_the_queue_is_bounded_and_lets_one_large_append_in(journal):
    async def main():
        group = GroupCommit(journal, lambda: None)
        large = [chunk(b"x" * 1024 * 1024, stream=str(n)) for n in range(17)]
        waiting = asyncio.create_task(group.append(large))
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await group.append([chunk(b"y")])
        run = asyncio.create_task(group.run())
        assert await waiting
        assert await group.append([chunk(b"y")])
        run.cancel()

    asyncio.run(main())
    assert journal.last > 17


def test_what_waits_at_cancellation_is_committed_and_later_appends_are_refused(tmp_path, journal):
    async def main():
        async with running(journal) as group:
            sent = asyncio.create_task(group.append([chunk(b"a")]))
            group.count("s1", "torn", 2)
            await asyncio.sleep(0)
        assert await sent
        with pytest.raises(Full, match="closed"):
            await group.append([chunk(b"b")])

    asyncio.run(main())
    assert len(batches(tmp_path)) == 1
    assert counters(tmp_path) == {"s1": {"torn": 2}}


def test_a_request_committed_before_the_restart_is_dropped_once_and_counted(tmp_path, journal):
    journal.commit([chunk(b"a")], [b"digest"])

    async def main():
        async with running(journal) as group:
            again = await group.append([chunk(b"a", b"b")], b"digest")
            third = await group.append([chunk(b"a")], b"digest")
            fourth = await group.append([chunk(b"a")], b"digest")
            assert (again, third, fourth) == (False, True, True)

    asyncio.run(main())
    assert counters(tmp_path) == {"s1": {"redelivered": 2}}
    assert journal.last == 3


def test_a_request_before_the_restart_is_recognised_for_ten_minutes_only(journal):
    journal.commit([chunk(b"a")], [b"early", b"late"])
    now = [0.0]

    async def main():
        async with running(journal, monotonic=lambda: now[0]) as group:
            now[0] = 599.0
            assert not await group.append([chunk(b"a")], b"early")
            now[0] = 601.0
            assert await group.append([chunk(b"a")], b"late")
            assert group._unheard == {}

    asyncio.run(main())


def test_after_a_clean_end_the_same_body_is_a_new_request(journal):
    async def main():
        for _ in range(3):
            async with running(journal) as group:
                assert await group.append([chunk(b"heartbeat")], b"digest")

    asyncio.run(main())
    assert (journal.last, journal.recent_requests()) == (3, set())


def test_after_a_failure_requests_are_remembered(journal, monkeypatch):
    async def main():
        group = GroupCommit(journal, lambda: None)
        run = asyncio.create_task(group.run())
        assert await group.append([chunk(b"a")], b"digest")
        monkeypatch.setattr(journal, "commit", lambda *_: (_ for _ in ()).throw(ValueError("broken")))
        with pytest.raises(ValueError, match="broken"):
            await group.append([chunk(b"b")])
        with pytest.raises(ValueError, match="broken"):
            await run

    asyncio.run(main())
    assert journal.recent_requests() == {b"digest"}


def test_a_request_acknowledged_only_at_the_end_is_remembered(journal):
    async def main():
        async with running(journal) as group:
            assert await group.append([chunk(b"a")], b"told")
            late = asyncio.create_task(group.append([chunk(b"b")], b"late"))
            await asyncio.sleep(0)
        assert await late

    asyncio.run(main())
    assert journal.recent_requests() == {b"late"}


def test_a_repeated_request_waits_for_the_first_and_is_stored_once(tmp_path, journal):
    async def main():
        async with running(journal) as group:
            both = [group.append([chunk(b"a")], b"digest", {("s1", "records"): 1}) for _ in range(2)]
            assert await asyncio.gather(*both) == [True, False]

    asyncio.run(main())
    assert counters(tmp_path) == {"s1": {"records": 1, "redelivered": 1}}
    assert journal.last == 1


@pytest.mark.parametrize("again_at_once", [True, False])
def test_a_request_nobody_waited_for_is_recognised_once(journal, again_at_once):
    async def main():
        async with running(journal) as group:
            gone = asyncio.create_task(group.append([chunk(b"a")], b"digest"))
            await asyncio.sleep(0)
            gone.cancel()
            if not again_at_once:
                await group.append([chunk(b"other")])
            assert not await group.append([chunk(b"a")], b"digest")
            assert await group.append([chunk(b"a")], b"digest")

    asyncio.run(main())


def test_counters_given_with_chunks_are_committed_with_them(journal, monkeypatch):
    committed = []
    commit = journal.commit
    monkeypatch.setattr(journal, "commit", lambda *values: (commit(*values), committed.append(dict(values[2]))))

    async def main():
        async with running(journal) as group:
            both = [group.append([chunk(b"a")], None, {("s1", "records"): n}) for n in (1, 2)]
            await asyncio.gather(*both)

    asyncio.run(main())
    assert committed == [{("s1", "records"): 3}]


def test_counters_alone_are_committed(tmp_path, journal, monkeypatch):
    monkeypatch.setattr(group_commit, "COUNT_S", 0.01)

    async def main():
        async with running(journal) as group:
            group.count("s1", "refused")
            while not counters(tmp_path):
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_full_disk_is_full_and_the_next_append_works(tmp_path, journal):
    log = journal._log.connection
    (pages,) = log.execute("PRAGMA page_count").fetchone()
    lost = {("s1", "records"): 30_002}

    async def main():
        async with running(journal) as group:
            log.execute(f"PRAGMA max_page_count={pages + 1}")
            with pytest.raises(Full, match="disk"):
                await group.append(
                    [chunk(bytes(range(256)) * 16, b"x" * 100, *[b"%d" % n for n in range(30_000)])], None, lost
                )
            log.execute("PRAGMA max_page_count=1000000")
            assert await group.append([chunk(b"after")])

    asyncio.run(main())
    assert "records" not in counters(tmp_path).get("s1", {}), "what was not kept is not counted"
    assert [one.chunks[0].records for one in batches(tmp_path)] == [[b"after"]]


@pytest.mark.parametrize(
    "error", [Problem("source 's9'", "is not configured"), sqlite3.OperationalError("disk I/O error")]
)
def test_a_failing_journal_fails_its_waiters_and_ends_the_run(journal, monkeypatch, error):
    monkeypatch.setattr(journal, "commit", lambda *_: (_ for _ in ()).throw(error))

    async def main():
        group = GroupCommit(journal, lambda: None)
        run = asyncio.create_task(group.run())
        with pytest.raises(type(error)):
            await group.append([chunk(b"a")])
        with pytest.raises(type(error)):
            await run

    asyncio.run(main())


def test_a_waiter_that_gave_up_does_not_stop_the_others(journal):
    async def main():
        async with running(journal) as group:
            gone = asyncio.create_task(group.append([chunk(b"a")]))
            stays = asyncio.create_task(group.append([chunk(b"b")]))
            await asyncio.sleep(0)
            gone.cancel()
            assert await stays

    asyncio.run(main())


def test_a_source_that_is_not_configured_fails_only_its_own_append(tmp_path, journal):
    async def main():
        async with running(journal) as group:
            good = asyncio.create_task(group.append([chunk(b"a")]))
            with pytest.raises(Problem, match="'s9'"):
                await group.append([chunk(b"b", source_id="s9")])
            assert await good

    asyncio.run(main())
    assert [one.chunks[0].records for one in batches(tmp_path)] == [[b"a"]]
