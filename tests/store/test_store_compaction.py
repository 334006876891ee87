"""Compaction: nothing is lost, doubled or out of order, whatever crashes; every tampering is found and named."""

import itertools
import random
import sqlite3
import subprocess
import sys
import threading
import time
from hashlib import sha256

import duckdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc_model.event import COLUMNS
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_store import compaction_merge, compaction_writer, event_search
from soc_store import manifest as manifest_module
from soc_store.archive import Archive
from soc_store.compaction import CompactionRule, plan, slices
from soc_store.compaction_merge import merge_segments
from soc_store.event_query import EventQuery, FindingQuery
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import Manifest, ManifestReader, entry_of
from soc_store.manifest_entry import Compaction, Segment, digest_of
from soc_store.search import search_events, search_findings
from tests.store.making import NOON, SYSTEM, Clock, block, outcome
from tests.store.sealing import SMALL, Sealed, compact, one, rule

KEYS = ("event_id", "offset", "byte", "raw", "unit", "received")


@pytest.fixture
def sealed(tmp_path):
    """Four segments of events and four of findings of one day, and one each of the next; all signed."""
    made = Sealed(tmp_path)
    (tmp_path / "outcomes").mkdir()
    made.seal(0, 0, 0, 0, 1)
    made.sign()
    return made


def shown(sealed, **asked):
    return [
        tuple(row[key] for key in KEYS)
        for row in search_events(sealed.archive.parent, SYSTEM, EventQuery(**asked)).rows
    ]


def found_findings(sealed):
    query = FindingQuery(key="k1", first_offset=1, last_offset=99)
    return [found.finding_id for found in search_findings(sealed.archive.parent, SYSTEM, query).findings]


def segments(sealed, realm="live"):
    view = ManifestReader(sealed.archive / realm)
    found = view.segments()
    view.close()
    return found


def names(sealed):
    return [(path.parent.parent.name, path.name) for path in sealed.files()]


def test_many_segments_become_one_with_the_same_rows_in_the_same_order(sealed):
    before, findings = shown(sealed), found_findings(sealed)
    assert sealed.compact() == 2
    assert names(sealed) == [
        ("events", "host-0000000009.parquet"),
        ("findings", "host-0000000010.parquet"),
        ("events", "host-0000000011.parquet"),
        ("findings", "host-0000000012.parquet"),
    ]
    assert (shown(sealed), found_findings(sealed)) == (before, findings)
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT raw FROM read_parquet(?)", [str(sealed.files()[2])]).fetchall()
    assert [raw for (raw,) in rows] == [f"{offset}-{n}" for offset in range(1, 5) for n in range(3)]


def test_what_was_merged_is_proved_by_the_checkpoint_before_and_by_the_next(sealed):
    sealed.compact()
    verdict, faults = sealed.verify()
    assert (faults, verdict.proved_sequence, verdict.entries) == ([], 10, 12)
    assert (verdict.segments, verdict.replaced, verdict.compactions, verdict.removed) == (10, 8, 2, 0)
    assert (verdict.events, verdict.findings) == (15, 5)
    sealed.sign(NOON + 1)
    verdict, faults = sealed.verify()
    assert (faults, verdict.proved_sequence, verdict.proved_time) == ([], 12, NOON + 1)


def test_counts_and_progress_stay_as_they_were(sealed):
    view = ManifestReader(sealed.live)
    before = (view.stats(), view.sealed, view.through, view.counts())
    view.close()
    sealed.compact()
    view = ManifestReader(sealed.live)
    assert (view.stats(), view.sealed, view.through, view.counts()) == before
    assert sum(view.bytes_by_day("2023-11-15").values()) == sum(path.stat().st_size for path in sealed.files())
    view.close()


def test_the_columns_and_types_stay_and_rows_stand_in_groups_that_times_can_pass_over(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction_merge, "_COPY", compaction_merge._COPY.replace("20480", "2048"))
    archive = Archive.open(tmp_path, now=Clock())
    for offset in range(1, 4):
        archive.add(outcome(offset, block(offset, ["x"] * 2048, raw_binary=[None] * 2047 + [b"\xff"])))
        archive.seal_due(NOON, force=True)
    assert compact(archive, tmp_path, CompactionRule()) == 1
    archive.close()
    (path,) = tmp_path.rglob("*.parquet")
    connection = duckdb.connect()
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert {row[0]: row[1] for row in described} == COLUMNS
    sql = "SELECT stats_min_value::BIGINT FROM parquet_metadata(?) WHERE path_in_schema = ? ORDER BY row_group_id"
    assert [least for (least,) in connection.execute(sql, [str(path), "@timestamp"]).fetchall()] == [
        NOON + n * 1000 for n in (1, 2, 3)
    ]


def test_while_a_day_lasts_what_was_merged_is_left_and_merged_again_when_it_is_over(sealed):
    assert sealed.compact(today="2023-11-15") == 2
    sealed.seal(0, 0)
    before = shown(sealed)
    assert sealed.compact(today="2023-11-15") == 2
    assert sealed.compact(today="2023-11-15") == 0
    assert len(sealed.files()) == 6
    assert sealed.compact() == 2
    assert len(sealed.files()) == 4
    assert shown(sealed) == before
    sealed.sign(NOON + 1)
    verdict, faults = sealed.verify()
    assert (faults, verdict.segments, verdict.replaced, verdict.compactions) == ([], 14, 16, 6)


def test_each_realm_kind_layer_and_day_is_merged_apart(tmp_path):
    archive = Archive.open(tmp_path, now=Clock())
    places = [*itertools.product(("live", "drill"), ("host", "network"), (0, 1))] * 2
    for offset, (realm, layer, day) in enumerate(places, 1):
        archive.add(
            outcome(offset, block(offset, ["a"], realm=realm, layer=layer, received=NOON + day * 86_400_000_000))
        )
        archive.seal_due(NOON, force=True)
    assert compact(archive, tmp_path) == 8
    archive.close()
    for realm in Realm.LIVE, Realm.DRILL:
        view = ManifestReader(tmp_path / realm)
        assert [(one.layer, one.day, one.rows) for one in view.segments()] == [
            (layer, day, 2) for day in ("2023-11-15", "2023-11-16") for layer in (Layer.HOST, Layer.NETWORK)
        ]
        view.close()


def segment(n, rows=10, size=100, compaction=False):
    known = {"sequence": n, "kind": "events", "layer": Layer.HOST, "day": "2023-11-15", "file": f"{n}"}
    known |= {"first_offset": n, "last_offset": n, "rows": rows, "min_time": n, "max_time": n, "bytes": size}
    known |= {"alg": "sha256", "merkle_root": f"{n}", "file_digest": ""}
    return Compaction(**known, at=1, replaced=[]) if compaction else Segment(**known)


PLANS = {
    "too few while the day lasts": ([(10,)] * 3, False, []),
    "few are enough when it is over": ([(10,)] * 3, True, [[0, 1, 2]]),
    "enough of them": ([(10,)] * 4, False, [[0, 1, 2, 3]]),
    "enough rows": ([(60,)] * 4, False, [[0, 1], [2, 3]]),
    "enough bytes": ([(1, 600)] * 4, False, [[0, 1], [2, 3]]),
    "one alone is left": ([(60,)] * 3, True, [[0, 1]]),
    "a large one is left, and parts its neighbours": ([(10,), (10,), (100,), (10,), (10,)], True, [[0, 1], [3, 4]]),
    "a large file is left": ([(10, 1000), (10,), (10,)], True, [[1, 2]]),
    "what was merged waits for the end": ([(10,), (10, 9, True), (10,)], False, []),
    "what was merged is merged at the end": ([(10,), (10, 9, True), (10,)], True, [[0, 1, 2]]),
    "nothing": ([], True, []),
}


@pytest.mark.parametrize("name", PLANS)
def test_what_is_merged_is_decided_by_size_number_and_day(name):
    given_segments, ended, wanted = PLANS[name]
    made = [segment(n, *values) for n, values in enumerate(given_segments)]
    groups = plan(made, CompactionRule(rows=100, bytes=1000, files=4), ended=ended)
    assert [[one.sequence for one in group] for group in groups] == wanted


@given(st.lists(st.tuples(st.integers(1, 150), st.integers(1, 1500), st.booleans()), max_size=30), st.booleans())
def test_a_plan_keeps_the_order_and_takes_no_segment_twice(values, ended):
    made = [segment(n, *one) for n, one in enumerate(values)]
    groups = plan(made, CompactionRule(rows=100, bytes=1000, files=4), ended=ended)
    flat = [one.sequence for group in groups for one in group]
    assert flat == sorted(set(flat))
    for group in groups:
        assert group == made[group[0].sequence : group[-1].sequence + 1]
        assert sum(one.rows for one in group[:-1]) < 100
        assert sum(one.bytes for one in group[:-1]) < 1000


def test_slices_follow_each_other():
    assert [part[:3] for part in slices([segment(1, 3), segment(2, 4)], 10)] == [(1, 10, 13), (2, 13, 17)]


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_segment_that_is_not_as_it_was_sealed_is_never_merged(sealed):
    flip(sealed.files()[2], 40)
    archive = Archive.open(sealed.archive, now=Clock())
    with pytest.raises(Problem, match="is not as it was sealed"):
        compact(archive, sealed.archive)
    archive.close()
    assert len(segments(sealed)) == 10
    assert [fault.sequence for fault in sealed.verify()[1]] == [3]


def test_a_segment_whose_rows_are_others_than_its_entry_says_is_never_merged(sealed):
    sealed.sql("UPDATE segment SET merkle_root = '00' WHERE sequence = 3")
    archive = Archive.open(sealed.archive, now=Clock())
    with pytest.raises(Problem, match="does not have the rows of segment 3"):
        compact(archive, sealed.archive)
    archive.close()


def rebuilt(sealed, path, sql):
    """The file of the compaction written anew from its rows, with an entry whose digests fit it."""
    other = path.with_name("other")
    with open_duckdb(sealed.archive) as connection:
        copy = f"COPY (SELECT * FROM ({sql})) TO '{other}' (FORMAT parquet, COMPRESSION zstd)"
        connection.execute(copy.replace("ROWS", f"read_parquet('{path}')"))
        leaves = list(compaction_merge.leaves_of(connection, other, "events"))
    other.replace(path)
    found = next(one for one in segments(sealed) if str(path).endswith(one.file))
    digest = sha256(path.read_bytes()).hexdigest()
    fields = {"rows": len(leaves), "bytes": path.stat().st_size, "file_digest": digest}
    return msgspec.structs.replace(found, merkle_root=compaction_merge.merkle.root(leaves), **fields)


def rewrite_chain(sealed, changed):
    """Every entry from the changed ones on written anew with good digests."""
    view, previous = ManifestReader(sealed.live), ""
    rows = view.entries(0, 99)
    view.close()
    connection = sqlite3.connect(sealed.live / "manifest.db")
    for table, row in rows:
        entry = entry_of(table, row)
        values = changed.get(entry.sequence, {})
        linked = msgspec.structs.replace(entry, previous=previous, **values)
        previous = digest_of(linked)
        sets = {name: getattr(linked, name) for name in Segment.__struct_fields__} | {"digest": previous}
        put = ", ".join(f"{name} = ?" for name in sets)
        connection.execute(f"UPDATE {table} SET {put} WHERE sequence = ?", [*map(str, sets.values()), entry.sequence])
        if isinstance(linked, Compaction):
            text = msgspec.json.encode(linked.replaced).decode()
            connection.execute("UPDATE compaction SET replaced = ? WHERE sequence = ?", (text, entry.sequence))
    connection.commit()
    connection.close()


def forge(sql):
    """Other rows in the compacted file, by one who makes all digests fit but not what was signed of the segments."""

    def change(sealed):
        path = sealed.files()[2]
        made = rebuilt(sealed, path, sql)
        names = ("rows", "bytes", "file_digest", "merkle_root")
        rewrite_chain(sealed, {11: {name: getattr(made, name) for name in names}})

    return change


TAMPERINGS = {
    "a flipped byte in a compacted file": (lambda s: flip(s.files()[2], 40), "events/", 11, "another digest"),
    "a compacted file that is gone": (lambda s: s.files()[3].unlink(), "findings/", 12, "is gone"),
    "rows dropped": (forge("SELECT * FROM ROWS WHERE raw <> '2-1'"), "manifest.db", 11, "11 rows where 12 were"),
    "a row in the place of another": (
        forge("SELECT * REPLACE (CASE raw WHEN '2-1' THEN '2-9' ELSE raw END AS raw) FROM ROWS"),
        "events/",
        11,
        "rows 3 to 5 are not those of entry 3",
    ),
    "rows added": (
        forge("SELECT * FROM ROWS UNION ALL SELECT * FROM ROWS WHERE raw = '1-0'"),
        "manifest.db",
        11,
        "13 rows where 12 were",
    ),
    "segments swapped in the file": (
        forge('SELECT * FROM ROWS ORDER BY "offset" DESC, byte'),
        "events/",
        11,
        "rows 0 to 2 are not those of entry 1",
    ),
    "segments swapped in the entry": (
        lambda s: rewrite_chain(s, {11: {"replaced": [3, 1, 5, 7]}}),
        "events/",
        11,
        "rows 0 to 2 are not those of entry 3",
    ),
    "a segment left out of the entry": (
        lambda s: rewrite_chain(s, {11: {"replaced": [1, 3, 5]}}),
        "manifest.db",
        11,
        "does not name just the segments",
    ),
    "an entry's list changed": (
        lambda s: s.sql("UPDATE compaction SET replaced = '[1,3,5]' WHERE sequence = 11"),
        "manifest.db",
        11,
        "changed",
    ),
    "an entry's time changed": (lambda s: s.sql("UPDATE compaction SET at = 1"), "manifest.db", 11, "changed"),
    "an entry's list of nonsense": (
        lambda s: s.sql("UPDATE compaction SET replaced = 'x'"),
        "manifest.db",
        11,
        "changed",
    ),
    "a compaction made a segment": (
        lambda s: s.sql("DELETE FROM compaction WHERE sequence = 11"),
        "manifest.db",
        11,
        "changed",
    ),
    "a replaced entry changed": (
        lambda s: s.sql("UPDATE replaced SET rows = 4 WHERE sequence = 3"),
        "manifest.db",
        3,
        "changed",
    ),
    "a replaced entry taken out": (
        lambda s: s.sql("DELETE FROM replaced WHERE sequence = 3"),
        "manifest.db",
        4,
        "entries 3 to 3 are missing",
    ),
    "a replaced segment that searches see": (
        lambda s: (
            s.sql(f"INSERT INTO segment SELECT {manifest_module._COLUMNS} FROM replaced WHERE sequence = 3")
            or s.sql("DELETE FROM replaced WHERE sequence = 3")
        ),
        "manifest.db",
        11,
        "seen twice",
    ),
    "a segment hidden as if replaced": (
        lambda s: (
            s.sql("INSERT INTO replaced SELECT *, 11 FROM segment WHERE sequence = 9")
            or s.sql("DELETE FROM segment WHERE sequence = 9")
        ),
        "manifest.db",
        11,
        "rows are hidden",
    ),
    "a segment hidden by no compaction": (
        lambda s: (
            s.sql("INSERT INTO replaced SELECT *, 5 FROM segment WHERE sequence = 9")
            or s.sql("DELETE FROM segment WHERE sequence = 9")
        ),
        "manifest.db",
        0,
        "replaced, but by no compaction",
    ),
    "a compaction hidden": (
        lambda s: (
            s.sql("INSERT INTO removed SELECT * FROM segment WHERE sequence = 11")
            or s.sql("DELETE FROM segment WHERE sequence = 11")
        ),
        "events/",
        11,
        "no retention entry names it",
    ),
    "a compaction cut off": (
        lambda s: s.sql("DELETE FROM segment WHERE sequence > 10", "DELETE FROM compaction"),
        "manifest.db",
        0,
        "by no compaction",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_each_tampering_with_a_compaction_is_found_and_named(sealed, name):
    tamper, file, sequence, what = TAMPERINGS[name]
    sealed.compact()
    tamper(sealed)
    verdict, faults = sealed.verify()
    assert verdict.faults == len(faults) > 0
    assert any(fault.file.startswith(file) and fault.sequence == sequence and what in fault.what for fault in faults), (
        faults
    )


def test_a_compaction_of_compactions_is_proved_down_to_what_was_sealed(sealed):
    """The inner entries fit each other, but what was sealed first has another root."""
    sealed.compact(today="2023-11-15")
    sealed.seal(0)
    sealed.compact()
    assert sealed.verify()[1] == []
    sealed.sql("UPDATE replaced SET merkle_root = '00' WHERE sequence = 3")
    assert any("rows 3 to 5 are not those of entry 3" in fault.what for fault in sealed.verify()[1])


def test_a_compacted_day_is_retired_as_a_whole_and_stays_proved(sealed):
    sealed.compact()
    sealed.sign(NOON + 1)
    assert sealed.retire("2023-11-16") == 2
    sealed.sign(NOON + 2)
    verdict, faults = sealed.verify()
    assert (faults, verdict.removed, verdict.replaced, verdict.proved_sequence) == ([], 2, 8, 13)
    assert [row[3] for row in shown(sealed)] == ["5-2", "5-1", "5-0"]
    assert len(sealed.files()) == 2


def test_a_merge_of_what_retention_took_meanwhile_changes_nothing(sealed):
    archive = Archive.open(sealed.archive, now=Clock())
    ((realm, crowd), _) = archive.compactor.crowds()
    (merge,) = archive.compactor.merges(realm, crowd, SMALL, "2024-01-01")
    merged = merge_segments(sealed.archive, merge, "test")
    archive.retire(rule("2023-11-16"))
    assert archive.compactor.replace(merge, merged, NOON) is False
    archive.close()
    assert [path for path in sealed.live.glob("*/*/*") if "2023-11-15" in str(path)] == []
    verdict, faults = sealed.verify()
    assert (faults, verdict.entries, verdict.removed) == ([], 11, 8)


def test_the_old_files_stay_while_a_search_may_read_them_and_go_then(sealed):
    clock = Clock()
    archive = Archive.open(sealed.archive, now=clock)
    compact(archive, sealed.archive)
    archive.compactor.clear()
    assert len(sealed.files()) == 12
    assert sealed.verify()[1] == []
    clock.at += compaction_writer.KEPT_US
    archive.compactor.clear()
    assert len(sealed.files()) == 4
    archive.close()


def test_a_search_reads_again_when_its_segments_are_replaced_under_it(sealed, monkeypatch):
    before, read, replaced = shown(sealed), event_search._read_segments, []

    def meanwhile(*values):
        if not replaced:
            replaced.append(sealed.compact())
        return read(*values)

    monkeypatch.setattr(event_search, "_read_segments", meanwhile)
    assert shown(sealed) == before
    assert replaced == [2]


class Crash(Exception):
    """The process ends here."""


STEPS = [
    *((compaction_merge, name, when) for name in ("leaves_of", "sync_file") for when in ("before", "after")),
    *((compaction_writer, "publish", when) for when in ("before", "after")),
    *((manifest_module, name, when) for name in ("move_replaced", "_write_compaction") for when in ("before", "after")),
    *((Manifest, "replace", when) for when in ("before", "after")),
    *((compaction_writer, "remove", when) for when in ("before", "after")),
    *(("unlink", n, when) for n in (1, 3, 8) for when in ("before", "after")),
]


def crashing(monkeypatch, place, name, when):
    """Let the process end before or after a step, without a chance to tidy up; of unlink, at its nth call."""
    owner, nth, name = (compaction_writer.Path, name, "unlink") if place == "unlink" else (place, 1, name)
    step, calls = getattr(owner, name), []

    def crash(*values, **named):
        calls.append(1)
        if len(calls) < nth:
            return step(*values, **named)
        if when == "after":
            step(*values, **named)
        monkeypatch.setattr(compaction_writer, "remove", lambda _: None)
        raise Crash

    monkeypatch.setattr(owner, name, crash)


@pytest.mark.parametrize(("place", "name", "when"), STEPS)
def test_a_crash_at_any_step_leaves_either_state_proved_and_searched(sealed, monkeypatch, place, name, when):
    before, clock = shown(sealed), Clock()
    first = Archive.open(sealed.archive, now=clock)
    with monkeypatch.context() as patch:
        crashing(patch, place, name, when)
        with pytest.raises(Crash):
            compact(first, sealed.archive)
            clock.at += compaction_writer.KEPT_US
            first.compactor.clear()
    first._lock.release()
    assert shown(sealed) == before
    # A file that has its name and not yet its entry is told until the archiver starts, as one of the sealing is.
    assert all("left by a crash" in fault.what for fault in sealed.verify()[1])
    again = Archive.open(sealed.archive, now=Clock())
    named = {one.file for one in segments(sealed)}
    assert {str(path.relative_to(sealed.live)) for path in sealed.live.glob("*/*/*")} == named
    again.close()
    sealed.compact()
    assert (shown(sealed), len(sealed.files())) == (before, 4)
    verdict, faults = sealed.verify()
    assert (faults, verdict.segments, verdict.replaced) == ([], 10, 8)


def test_an_error_while_replacing_leaves_nothing_behind(sealed, monkeypatch):
    archive = Archive.open(sealed.archive, now=Clock())
    before = names(sealed)
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compact(archive, sealed.archive)
    assert (names(sealed), list(sealed.live.rglob("*.new"))) == (before, [])
    assert compact(archive, sealed.archive) == 2
    archive.close()
    assert sealed.verify()[1] == []


def test_sealing_goes_on_between_the_merging_and_the_replacing(sealed):
    archive = Archive.open(sealed.archive, now=Clock())
    (realm, crowd), _ = archive.compactor.crowds()
    (merge,) = archive.compactor.merges(realm, crowd, SMALL, "2024-01-01")
    merged = merge_segments(sealed.archive, merge, "test")
    archive.add(one(6))
    archive.seal_due(NOON, force=True)
    assert archive.compactor.replace(merge, merged, NOON) is True
    archive.close()
    verdict, faults = sealed.verify()
    assert (faults, verdict.entries, verdict.segments, verdict.replaced) == ([], 13, 12, 4)
    assert sorted(row[3] for row in shown(sealed)) == sorted(f"{n}-{k}" for n in range(1, 7) for k in range(3))


@pytest.mark.timeout(60)
def test_searches_and_verification_see_each_row_once_all_the_while(sealed, monkeypatch):
    """Sealing, merging, retention and checkpoints go on; the files that were replaced go at once."""
    monkeypatch.setattr(compaction_writer, "KEPT_US", 0)
    archive, done = Archive.open(sealed.archive, now=Clock()), threading.Event()

    def write():
        try:
            for offset in range(6, 40):
                archive.add(one(offset, day=1))
                archive.seal_due(NOON, force=True)
                if offset % 3 == 0:
                    compact(archive, sealed.archive, today="2023-11-15" if offset % 2 else "2024-01-01")
                    archive.compactor.clear()
                if offset == 20:
                    archive.retire(rule("2023-11-16"))
                sealed.sign(NOON + offset)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        raws = [row[3] for row in shown(sealed, limit=1000)]
        offsets = sorted({int(raw.partition("-")[0]) for raw in raws})
        assert sorted(raws) == sorted(f"{offset}-{n}" for offset in offsets for n in range(3))
        assert offsets == list(range(offsets[0], offsets[-1] + 1))
        assert sealed.verify(patience_s=5.0)[1] == []
    writer.join()
    archive.close()
    verdict, faults = sealed.verify()
    assert (faults, verdict.segments, verdict.proved_sequence) == ([], 78, verdict.entries)
    assert verdict.compactions > 10


@pytest.mark.timeout(120)
def test_a_process_killed_while_it_merges_loses_and_doubles_nothing(tmp_path, root):
    folder, rnd, sealed_last = tmp_path / "archive", random.Random(4), 0
    for _ in range(4):
        command = [sys.executable, "-m", "tests.store.killed_compacting", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=root) as process:
            for _ in range(6):
                sealed_last = int(process.stdout.readline())
            time.sleep(rnd.random() / 10)
            process.kill()
            rest = [int(line) for line in process.stdout.read().split(b"\n")[:-1]]
        sealed_last = max([sealed_last, *rest])
    Archive.open(folder, now=Clock()).close()
    (tmp_path / "outcomes").mkdir()
    made = Sealed(tmp_path)
    raws = [row[3] for row in shown(made, limit=9999)]
    offsets = {int(raw.partition("-")[0]) for raw in raws}
    assert sorted(raws) == sorted(f"{offset}-{n}" for offset in range(1, len(offsets) + 1) for n in range(3))
    assert sealed_last <= len(offsets) <= sealed_last + 1
    verdict, faults = made.verify()
    assert (faults, verdict.compactions > 0) == ([], True)
    assert {str(path.relative_to(made.live)) for path in made.live.glob("*/*/*")} == {
        one.file for one in segments(made)
    }
