"""The journal: splits, positions, counters, requests, rotation, dropping, and what a reader sees of it."""

import sqlite3
from contextlib import ExitStack, closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc_model.chunk import BATCH_BYTES, Digest, Oversize
from soc_model.problem import Problem
from soc_store.batch import decode_batch, encode_batch, split
from soc_store.journal import Journal, JournalReader
from tests.store.making import NOON, Clock, chunk, source

SOURCES = {"s1": source("s1"), "s2": source("s2")}
SECOND = 1_000_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def running():
    """The time that requests have: only running counts."""
    return Clock(0)


@pytest.fixture
def journal(tmp_path, clock, running):
    opened = Journal.open(tmp_path, SOURCES, now=clock, running=running)
    yield opened
    opened.close()


@pytest.fixture
def opened():
    """A function that closes what it is given at the end of the test."""
    with ExitStack() as stack:
        yield lambda one: stack.enter_context(closing(one))


def rows_of(folder):
    with closing(JournalReader(folder)) as reader:
        return reader.read(0, 10_000)


def records_of(folder):
    batches = [decode_batch(blob) for _, blob in rows_of(folder)]
    return [record for batch in batches for one in batch.chunks for record in one.records]


def counters_of(folder):
    with closing(JournalReader(folder)) as reader:
        return reader.counters()


def test_a_commit_comes_back_as_it_was(tmp_path, journal):
    sent = chunk(b"a", b"\xff\x00", context={"zone": "Asia/Shanghai", "head": b"\xff"}, position={"byte": 3})
    assert journal.commit([sent]) == [1]
    ((offset, blob),) = rows_of(tmp_path)
    batch = decode_batch(blob)
    assert (offset, batch.offset, batch.received, batch.chunks) == (1, 1, NOON, [sent])
    assert batch.sources == {"s1": SOURCES["s1"]}


def test_positions_carry_their_context_and_the_last_one_wins(journal):
    journal.commit([chunk(b"a", position={"byte": 1}), chunk(b"b", context={"h": b"\x01"}, position={"byte": 2})])
    journal.commit([chunk(b"c", stream="f2", position=None)])
    assert journal.positions("s1") == {"f1": {"byte": 2, "context": {"h": b"\x01"}}}
    assert journal.positions("s2") == {}


def test_a_position_without_records_is_kept_and_makes_no_batch(journal):
    assert journal.commit([chunk(position={"byte": 9})]) == []
    assert journal.positions("s1")["f1"]["byte"] == 9


def test_a_stream_name_that_is_not_unicode_comes_back(journal):
    journal.commit([chunk(b"a", stream="log-\udcff", context={"path": "log-\udcff"}, position={"byte": 1})])
    assert list(journal.positions("s1")) == ["log-\udcff"]


def test_a_chunk_of_an_unknown_source_keeps_nothing(tmp_path, journal):
    with pytest.raises(Problem, match="'s9'"):
        journal.commit([chunk(b"a", position={"byte": 1}), chunk(b"b", source_id="s9")], [b"r"], {("s1", "n"): 1})
    assert records_of(tmp_path) == []
    assert (journal.positions("s1"), journal.recent_requests(), journal.last) == ({}, set(), 0)


def test_counters_add_up_and_are_read_by_others(tmp_path, journal):
    journal.commit([], [], {("s1", "torn"): 2, ("s2", "records"): 1})
    journal.commit([chunk(b"a")], [], {("s1", "torn"): 3})
    assert counters_of(tmp_path) == {"s1": {"torn": 5}, "s2": {"records": 1}}


def test_requests_are_recent_by_the_last_one(tmp_path, journal, running):
    for second, digest in ((0, b"old"), (50, b"mid"), (100, b"new")):
        running.at = second * SECOND
        journal.commit([], [digest])
    running.at = 10**6 * SECOND
    assert journal.recent_requests() == {b"mid", b"new"}
    assert journal.recent_requests(within_s=10) == {b"new"}


@pytest.mark.parametrize("stopped_s", [10**6, -(10**6)])
def test_neither_a_stop_nor_a_clock_set_back_makes_requests_old(tmp_path, clock, stopped_s):
    for digest in (b"first", b"second", b"third"):
        journal = Journal.open(tmp_path, SOURCES, now=clock, running=Clock(-clock.at))
        journal.commit([chunk(b"a")], [digest])
        journal.close()  # as a crash: nothing was forgotten
        clock.at += stopped_s * SECOND
    journal = Journal.open(tmp_path, SOURCES, now=clock)
    assert journal.recent_requests() == {b"first", b"second", b"third"}
    journal.close()


def test_old_requests_are_pruned(tmp_path, journal, running):
    for second in range(0, 600, 20):
        running.at = second * SECOND
        journal.commit([], [b"%d" % second])
    with closing(sqlite3.connect(next(tmp_path.glob("*.db")))) as kept:
        assert kept.execute("SELECT count(*) FROM request").fetchone()[0] <= 8


def test_requests_are_not_pruned_while_no_newer_ones_come(journal, running):
    journal.commit([], [b"r"])
    for second in range(0, 600, 20):
        running.at = second * SECOND
        journal.commit([chunk(b"a")])
    assert journal.recent_requests() == {b"r"}


def test_requests_are_forgotten_but_those_to_keep(journal):
    journal.commit([], [b"heard", b"unheard"])
    journal.forget_requests([b"unheard", b"never there"])
    assert journal.recent_requests() == {b"unheard"}


DAY_US = 86_400 * SECOND


def test_a_new_file_begins_without_positions_unseen_for_30_days(journal, clock):
    journal.commit([chunk(b"a", stream="gone", position={"byte": 1}), chunk(b"b", stream="seen", position={"byte": 2})])
    clock.at += 31 * DAY_US
    assert journal.rotate_if_due()
    assert len(journal.positions("s1")) == 2, "nothing was seen since: the center was stopped"
    journal.commit([chunk(stream="seen", position={"byte": 2}), chunk(b"c", stream="new")])
    journal.rotate_if_due(file_bytes=1)
    assert journal.positions("s1") == {"seen": {"byte": 2, "context": {}}}


def test_a_clock_set_back_drops_no_position(journal, clock):
    journal.commit([chunk(b"a", position={"byte": 1})])
    clock.at -= 400 * DAY_US
    journal.commit([chunk(b"b", stream="f2", position={"byte": 2})])
    assert journal.rotate_if_due(), "rows from the future make a file due"
    assert len(journal.positions("s1")) == 2


def test_rotation_carries_positions_counters_and_requests(tmp_path, journal):
    journal.commit([chunk(b"a", position={"byte": 1})], [b"r"], {("s1", "torn"): 2})
    assert not journal.rotate_if_due()
    assert journal.rotate_if_due(file_bytes=1)
    assert not journal.rotate_if_due(file_bytes=1), "an empty file does not rotate"
    assert journal.drop_through(1) == 1
    assert journal.positions("s1")["f1"]["byte"] == 1
    assert journal.recent_requests() == {b"r"}
    assert counters_of(tmp_path) == {"s1": {"torn": 2}}
    assert journal.commit([chunk(b"b")]) == [2]


def test_an_hour_makes_a_file_due(journal, clock):
    journal.commit([chunk(b"a")])
    clock.at += 3_599 * SECOND
    assert not journal.rotate_if_due()
    clock.at += SECOND
    assert journal.rotate_if_due()


def test_offsets_are_never_used_twice_though_all_was_dropped(tmp_path, journal, clock):
    journal.commit([chunk(b"a")])
    journal.commit([chunk(b"b")])
    journal.rotate_if_due(file_bytes=1)
    assert journal.drop_through(10**9) == 1
    journal.close()
    again = Journal.open(tmp_path, SOURCES, now=clock)
    with closing(JournalReader(tmp_path)) as reader:
        assert (again.last, reader.last()) == (2, 2)
    assert again.commit([chunk(b"c")]) == [3]
    again.close()


def test_dropping_keeps_files_that_hold_a_higher_offset(tmp_path, journal):
    for n in range(6):
        journal.commit([chunk(b"%d" % n)])
        if n % 2:
            journal.rotate_if_due(file_bytes=1)
    assert journal.drop_through(3) == 1
    assert records_of(tmp_path) == [b"2", b"3", b"4", b"5"]


def test_a_reader_goes_on_across_rotation_and_drop(tmp_path, journal):
    reader, seen = JournalReader(tmp_path), []
    for n in range(1, 13):
        journal.commit([chunk(b"%d" % n)])
        if n % 3 == 0:
            journal.rotate_if_due(file_bytes=1)
        if n % 2:
            seen += reader.read(len(seen), limit=5)
            journal.drop_through(len(seen))
    seen += reader.read(len(seen), limit=50)
    assert [offset for offset, _ in seen] == list(range(1, 13))
    reader.close()


def test_a_reader_between_files_sees_no_gap(tmp_path, journal, monkeypatch, opened):
    """Rows are added and the file is rotated after the reader listed the folder and before it read."""
    journal.commit([chunk(b"1")])
    reader = opened(JournalReader(tmp_path))
    asked = reader._log._ask

    def late(*values):
        monkeypatch.setattr(reader._log, "_ask", asked)
        found = asked(*values)
        journal.commit([chunk(b"2")])
        journal.rotate_if_due(file_bytes=1)
        journal.commit([chunk(b"3")])
        return found

    monkeypatch.setattr(reader._log, "_ask", late)
    assert [offset for offset, _ in reader.read(0)] == [1]
    assert [offset for offset, _ in reader.read(1)] == [2, 3]


def test_a_reader_holding_a_dropped_file_moves_on(tmp_path, journal, opened):
    journal.commit([chunk(b"1")])
    reader = opened(JournalReader(tmp_path))
    assert reader.last() == 1
    journal.rotate_if_due(file_bytes=1)
    journal.drop_through(1)
    journal.commit([chunk(b"2")])
    assert [offset for offset, _ in reader.read(0)] == [2]
    assert reader.last() == 2


def test_a_reader_of_a_journal_not_yet_begun_is_empty(tmp_path):
    reader = JournalReader(tmp_path / "none")
    assert (reader.read(0), reader.last(), reader.counters()) == ([], 0, {})


def test_an_unfinished_rotation_changes_nothing(tmp_path, journal, clock, monkeypatch):
    journal.commit([chunk(b"1")])
    monkeypatch.setattr("soc_store.versions.publish", lambda made, final: (_ for _ in ()).throw(OSError("crash")))
    with pytest.raises(OSError, match="crash"):
        journal.rotate_if_due(file_bytes=1)
    monkeypatch.undo()
    assert journal.commit([chunk(b"2")]) == [2]
    assert journal.rotate_if_due(file_bytes=1)
    assert records_of(tmp_path) == [b"1", b"2"]


def test_a_rotation_that_fails_after_the_new_file_is_seen_ends_writing(tmp_path, journal, clock, monkeypatch):
    journal.commit([chunk(b"1")])
    monkeypatch.setattr("soc_store.log_files.open_writer", lambda *_: (_ for _ in ()).throw(OSError("crash")))
    with pytest.raises(OSError, match="crash"):
        journal.rotate_if_due(file_bytes=1)
    monkeypatch.undo()
    with pytest.raises(Problem, match="open it again"):
        journal.commit([chunk(b"lost")])
    journal.close()
    again = Journal.open(tmp_path, SOURCES, now=clock)
    assert again.commit([chunk(b"2")]) == [2]
    again.close()


@pytest.mark.parametrize("blob", [b"", b"fengsui-batch 9\n...", b"fengsui-batch 1\nrubbish"])
def test_an_unknown_or_damaged_batch_is_refused(blob):
    with pytest.raises(Problem, match="journal: "):
        decode_batch(blob)


SIZES = st.sampled_from([0, 1, 1000, BATCH_BYTES // 2, BATCH_BYTES - 1, BATCH_BYTES, BATCH_BYTES + 1, 3 * BATCH_BYTES])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(SIZES, max_size=6), max_size=5))
def test_splits_keep_order_bound_and_position(sizes):
    chunks = [
        chunk(*[bytes([n + 1]) * size for n, size in enumerate(row)], stream=f"f{i}", position={"i": i})
        for i, row in enumerate(sizes)
    ]
    groups = list(split(chunks))
    flat = [piece for group in groups for piece in group]
    assert [r for piece in flat for r in piece.records] == [r for one in chunks for r in one.records]
    for group in groups:
        total = sum(piece.size_bytes for piece in group)
        assert total <= BATCH_BYTES or sum(len(r) > 0 for piece in group for r in piece.records) == 1
    ends = {piece.stream: piece.position for piece in flat}
    assert ends == {one.stream: one.position for one in chunks if one.records}
    assert sum(piece.position is not None for piece in flat) == len(ends)


def test_oversize_stays_with_its_record_when_a_chunk_is_cut():
    big = Oversize(length_bytes=9, digest=Digest(alg="sha256", hex="00"))
    sent = chunk(b"a" * 200_000, b"b" * 100_000, b"c", b"d" * 200_000, oversize={2: big, 3: big})
    pieces = [piece for group in split([sent]) for piece in group]
    assert [(piece.records[n][:1], n) for piece in pieces for n in piece.oversize] == [(b"c", 1), (b"d", 0)]


def test_a_batch_with_lone_surrogates_is_kept(journal, tmp_path):
    journal.commit([chunk(b"a", context={"head": "x\ud800", "n": 10**30})])
    ((_, blob),) = rows_of(tmp_path)
    assert decode_batch(blob).chunks[0].context == {"head": "x\\ud800", "n": str(10**30)}
    assert encode_batch(decode_batch(blob))[:16] == b"fengsui-batch 1\n"
