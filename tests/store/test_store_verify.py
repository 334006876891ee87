"""The archive proves itself: every tampering is found and named, and nothing else is."""

import itertools
import sqlite3
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from soc_model.layer import Realm
from soc_store import manifest as manifest_module
from soc_store import merkle, segment_file
from soc_store.archive import Archive
from soc_store.event_query import EventQuery
from soc_store.event_search import search_events
from soc_store.manifest import Manifest, ManifestReader, entry_of
from soc_store.manifest_entry import digest_of, ranges
from soc_store.versions import create
from tests.store.making import NOON, SYSTEM, Clock
from tests.store.sealing import Sealed, one, rule


@pytest.fixture
def sealed(tmp_path):
    """Six entries: events and findings of three days; the first four signed."""
    made = Sealed(tmp_path)
    made.seal(0, 1)
    made.sign()
    made.seal(2)
    return made


def recursive_root(leaves):
    """RFC 6962 §2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.sha256(b"\x01" + recursive_root(leaves[:k]) + recursive_root(leaves[k:])).digest()


@given(st.lists(st.tuples(st.text(max_size=4), st.binary(max_size=4)), min_size=1, max_size=70))
def test_the_merkle_root_is_that_of_rfc_6962(rows):
    leaves = [merkle.leaf(name, content) for name, content in rows]
    assert merkle.root(iter(leaves)) == recursive_root(leaves).hex()


@given(st.lists(st.binary(max_size=3), min_size=2, max_size=40), st.data())
def test_any_change_of_rows_changes_the_root(contents, data):
    leaves = [merkle.leaf(str(n), content) for n, content in enumerate(contents)]
    i = data.draw(st.integers(0, len(leaves) - 1))
    changed = data.draw(
        st.sampled_from(
            [
                [*leaves[:i], *leaves[i + 1 :]],
                [*leaves[:i], merkle.leaf("new", b""), *leaves[i:]],
                [*leaves[:i], merkle.leaf(str(i), contents[i] + b"!"), *leaves[i + 1 :]],
                leaves[1:] + leaves[:1],
            ]
        )
    )
    assert merkle.root(changed) != merkle.root(leaves)


@given(st.lists(st.integers(1, 60), unique=True).map(sorted))
def test_ranges_hold_exactly_what_was_given(sequences):
    found = ranges(sequences)
    assert [n for first, last in found for n in range(first, last + 1)] == sequences
    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(found))


def test_what_was_sealed_is_proved_up_to_the_checkpoint_and_consistent_after_it(sealed):
    verdict, faults = sealed.verify()
    assert faults == []
    assert (verdict.proved_sequence, verdict.proved_time, verdict.entries) == (4, NOON, 6)
    assert verdict.counts() == {"segments": 6, "events": 9, "findings": 3, "sightings": 0, "removed": 0}


def test_without_a_key_everything_is_consistent_and_nothing_proved(sealed):
    verdict, faults = sealed.verify(key=None)
    assert (faults, verdict.proved_sequence, verdict.entries) == ([], 0, 6)


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def swap(one_path, other):
    content = one_path.read_bytes()
    one_path.write_bytes(other.read_bytes())
    other.write_bytes(content)


def rewritten(sealed, change):
    """The whole manifest written anew with good digests, as one who can write everything but the checkpoints does."""
    view = ManifestReader(sealed.live)
    entries = [entry_of(table, row) for table, row in view.entries(0, 99)]
    view.close()
    sealed.sql("DELETE FROM segment")
    connection, previous = sqlite3.connect(sealed.live / "manifest.db"), ""
    for entry in change(entries):
        linked = replace(entry, previous=previous)
        previous = digest_of(linked)
        values = msgspec.structs.astuple(replace(linked, digest=previous))
        connection.execute(manifest_module._INSERT, tuple(map(str, values)))
    connection.commit()
    connection.close()


TAMPERINGS = {
    "a flipped byte in a segment": (lambda s: flip(s.files()[1], 40), "findings/", 2, "another digest"),
    "a flipped byte in the last segment": (lambda s: flip(s.files()[5], -1), "findings/", 6, "another digest"),
    "a shortened segment": (lambda s: s.files()[2].write_bytes(s.files()[2].read_bytes()[:-9]), "events/", 3, "digest"),
    "a removed segment": (lambda s: s.files()[2].unlink(), "events/", 3, "is gone"),
    "two swapped segments": (lambda s: swap(s.files()[0], s.files()[2]), "events/", 3, "another digest"),
    "an added segment": (
        lambda s: (s.files()[0].parent / "host-0000000099.parquet").write_bytes(s.files()[0].read_bytes()),
        "events/2023-11-15/host-0000000099.parquet",
        99,
        "no entry names it",
    ),
    "a changed entry": (lambda s: s.sql("UPDATE segment SET rows = 9 WHERE sequence = 3"), "manifest.db", 3, "changed"),
    "a changed time": (
        lambda s: s.sql("UPDATE segment SET max_time = 1 WHERE sequence = 5"),
        "manifest.db",
        5,
        "chang",
    ),
    "an entry of nonsense": (
        lambda s: s.sql("UPDATE segment SET layer = 'x' WHERE sequence = 3"),
        "manifest.db",
        3,
        "",
    ),
    "a removed entry": (lambda s: s.sql("DELETE FROM segment WHERE sequence = 3"), "manifest.db", 4, "3 to 3 are miss"),
    "a removed first entry": (lambda s: s.sql("DELETE FROM segment WHERE sequence = 1"), "manifest.db", 2, "missing"),
    "swapped entries": (
        lambda s: s.sql(
            "UPDATE segment SET sequence = 98 WHERE sequence = 3",
            "UPDATE segment SET sequence = 3 WHERE sequence = 5",
            "UPDATE segment SET sequence = 5 WHERE sequence = 98",
        ),
        "manifest.db",
        3,
        "",
    ),
    "an entry put in": (
        lambda s: s.sql(
            "INSERT INTO segment SELECT 7, kind, layer, day, file, first_offset, last_offset, rows, min_time,"
            " max_time, bytes, alg, merkle_root, file_digest, digest, digest FROM segment WHERE sequence = 6"
        ),
        "manifest.db",
        7,
        "changed",
    ),
    "entries cut off before the checkpoint": (
        lambda s: s.sql("DELETE FROM segment WHERE sequence > 3"),
        "manifest.db",
        4,
        "cut off",
    ),
    "all entries cut off": (lambda s: s.sql("DELETE FROM segment"), "manifest.db", 4, "cut off"),
    "a whole new chain": (
        lambda s: rewritten(s, lambda entries: [replace(entries[0], max_time=1), *entries[1:]]),
        "manifest.db",
        4,
        "is not what the checkpoint live.ndjson:1 signed",
    ),
    "a whole new and shorter chain": (lambda s: rewritten(s, lambda e: e[:3]), "manifest.db", 4, "cut off"),
    "an entry of another file": (
        lambda s: rewritten(s, lambda e: [replace(e[0], file="../drill/x.parquet"), *e[1:]]),
        "manifest.db",
        1,
        "names the file '../drill/x.parquet'",
    ),
    "counts that are not those of the rows": (
        lambda s: s.sql("UPDATE stat SET events = events + 1 WHERE day = '2023-11-16'"),
        "manifest.db",
        0,
        "counts 4 events",
    ),
    "a segment hidden from searches": (
        lambda s: (
            s.sql("INSERT INTO removed SELECT * FROM segment WHERE sequence = 5")
            or s.sql("DELETE FROM segment WHERE sequence = 5")
        ),
        "events/",
        5,
        "no retention entry names it",
    ),
    "a manifest that is gone": (lambda s: (s.live / "manifest.db").unlink(), "manifest.db", 0, "is gone"),
    "a manifest that is none": (lambda s: (s.live / "manifest.db").write_bytes(b"x" * 99), "manifest.db", 0, "read"),
    "an altered checkpoint": (
        lambda s: flip(
            s.checkpoints / "live.ndjson", (s.checkpoints / "live.ndjson").read_bytes().index(b'"time":1') + 8
        ),
        "live.ndjson:1",
        0,
        "signature does not hold",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_each_tampering_is_found_and_named(sealed, name):
    tamper, file, sequence, what = TAMPERINGS[name]
    tamper(sealed)
    verdict, faults = sealed.verify()
    assert verdict.faults == len(faults) > 0
    assert any(fault.file.startswith(file) and fault.sequence == sequence and what in fault.what for fault in faults), (
        faults
    )


def test_rows_of_a_segment_sealed_anew_are_held_against_the_entry(sealed):
    """The file and its digest fit each other, but the Merkle root was of other rows."""
    rewritten(sealed, lambda entries: [*entries[:4], replace(entries[4], merkle_root="00", rows=4), *entries[5:]])
    _, faults = sealed.verify()
    (fault,) = [fault for fault in faults if fault.file.startswith("events/")]
    assert fault.sequence == 5
    assert "has 3 rows where 4 were sealed; the Merkle root of its rows is not the one sealed" in fault.what


def test_a_byte_flipped_anywhere_in_the_manifest_is_found_or_changes_nothing(sealed):
    before, path = manifest_entries(sealed), sealed.live / "manifest.db"
    sealed.sql("SELECT 1")
    whole = path.read_bytes()
    texts = [whole.index(text) for text in (b"host-0000000001", b"2023-11-16", b"events/2023")]
    for at in (*texts, *range(0, len(whole), len(whole) // 40)):
        path.write_bytes(whole)
        flip(path, at)
        _, faults = sealed.verify()
        assert faults or manifest_entries(sealed) == before, at


def manifest_entries(sealed):
    view = ManifestReader(sealed.live)
    found = (view.entries(0, 99), view.stats())
    view.close()
    return found


def test_cut_off_after_the_last_checkpoint_is_not_told_and_says_how_far_it_is_proved(sealed):
    sealed.sql("DELETE FROM segment WHERE sequence > 4", "DELETE FROM stat WHERE day = '2023-11-17'")
    for path in sealed.files()[4:]:
        path.unlink()
    verdict, faults = sealed.verify()
    assert (faults, verdict.proved_sequence, verdict.entries) == ([], 4, 4)


def test_realms_are_proved_apart(sealed):
    sealed.seal(0, realm="drill")
    sealed.sign(realm=Realm.DRILL)
    flip(sealed.files()[0], 40)
    assert sealed.verify(Realm.DRILL)[1] == []
    assert len(sealed.verify()[1]) == 1


def test_a_checkpoint_of_another_realm_proves_nothing(sealed):
    sealed.seal(0, 1, 2, realm="drill")
    (sealed.checkpoints / "drill.ndjson").write_bytes((sealed.checkpoints / "live.ndjson").read_bytes())
    verdict, faults = sealed.verify(Realm.DRILL)
    assert verdict.proved_sequence == 0
    assert ["is of the realm live" in fault.what for fault in faults] == [True]


def test_retired_segments_are_accepted_and_not_searched(sealed, tmp_path):
    assert sealed.retire("2023-11-17") == 4
    sealed.sign(NOON + 1)
    verdict, faults = sealed.verify()
    assert faults == []
    assert (verdict.removed, verdict.segments, verdict.proved_sequence, verdict.entries) == (4, 6, 7, 7)
    assert len(sealed.files()) == 2
    assert not (sealed.live / "events/2023-11-15").exists()
    (tmp_path / "outcomes").mkdir()
    assert [row["raw"] for row in search_events(tmp_path, SYSTEM, EventQuery()).rows] == ["3-2", "3-1", "3-0"]
    assert sealed.retire("2023-11-17") == 0


def test_sealing_goes_on_after_a_retention_in_one_chain(sealed):
    sealed.retire("2024-01-01")
    sealed.seal(3)
    sealed.retire("2024-01-01")
    verdict, faults = sealed.verify()
    assert (faults, verdict.entries, verdict.removed) == ([], 10, 8)


def test_retention_is_by_realm_and_drill_is_retired_likewise(sealed):
    sealed.seal(0, realm="drill")
    assert sealed.retire("2023-11-16") == 4
    assert [sealed.verify(realm)[1] for realm in (Realm.LIVE, Realm.DRILL)] == [[], []]
    assert list((sealed.archive / "drill").glob("*/*/*")) == []


RETENTION_TAMPERINGS = {
    "a widened retention": ("UPDATE retention SET segments = '[[1,6]]'", "manifest.db", 7, "changed"),
    "a retention taken out": ("DELETE FROM retention", "events/", 1, "no retention entry names it"),
    "a retention brought forward": ("UPDATE retention SET at = 0", "manifest.db", 7, "were not 180 days old"),
    "a retention of nonsense": ("UPDATE retention SET segments = 'x'", "manifest.db", 7, "changed"),
    "a removed segment that is searched": (
        "INSERT INTO segment SELECT * FROM removed WHERE sequence = 1",
        "manifest.db",
        1,
        "twice",
    ),
}


@pytest.mark.parametrize("name", RETENTION_TAMPERINGS)
def test_each_tampering_with_a_retention_is_found(sealed, name):
    statement, file, sequence, what = RETENTION_TAMPERINGS[name]
    sealed.retire("2023-11-17")
    sealed.sql(statement)
    _, faults = sealed.verify()
    assert any(f.file.startswith(file) and f.sequence == sequence and what in f.what for f in faults), faults


def test_a_segment_removed_beside_a_retention_is_told(sealed):
    sealed.retire("2023-11-16")
    sealed.files()[0].unlink()
    _, faults = sealed.verify()
    assert [(fault.sequence, "is gone" in fault.what) for fault in faults] == [(3, True)]


def test_too_short_a_retention_needs_a_recorded_decision(sealed):
    sealed.retire("2023-11-16", days=30)
    assert "30 days without a recorded decision" in sealed.verify()[1][0].what
    sealed.retire("2023-11-17", days=30, decision="a person, today, for a reason")
    assert len(sealed.verify()[1]) == 1


class Crash(Exception):
    """The process ends here."""


STEPS = [
    (manifest_module, "_write_retention", "before"),
    (manifest_module, "_write_retention", "after"),
    (Manifest, "retire", "before"),
    (Manifest, "retire", "after"),
    (segment_file, "sync_folder", "before"),
    (segment_file, "sync_folder", "after"),
    *(("unlink", n, when) for n in (1, 2, 4) for when in ("before", "after")),
]


def crashing(monkeypatch, place, name, when):
    """Let the process end before or after a step; of unlink, at its nth call."""
    if place == "unlink":
        from pathlib import Path as owner

        nth, name = name, "unlink"
    else:
        owner, nth = place, 1
    step, calls = getattr(owner, name), []

    def crash(*values, **named):
        calls.append(1)
        if len(calls) < nth:
            return step(*values, **named)
        if when == "after":
            step(*values, **named)
        raise Crash

    monkeypatch.setattr(owner, name, crash)


@pytest.mark.parametrize(("place", "name", "when"), STEPS)
def test_a_crash_at_any_step_of_a_retention_leaves_a_proved_archive(sealed, monkeypatch, place, name, when):
    first = Archive.open(sealed.archive, now=Clock())
    with monkeypatch.context() as patch:
        crashing(patch, place, name, when)
        with pytest.raises(Crash):
            first.retire(rule("2023-11-17"))
    first._lock.release()
    assert sealed.verify()[1] == [], "also before the archiver comes back"
    again = Archive.open(sealed.archive, now=Clock())
    again.retire(rule("2023-11-17"))
    again.close()
    verdict, faults = sealed.verify()
    assert (faults, verdict.removed, verdict.entries) == ([], 4, 7)
    assert [path.name for path in sealed.files()] == ["host-0000000005.parquet", "host-0000000006.parquet"]


def test_many_segments_are_retired_in_entries_of_bounded_size(sealed, monkeypatch):
    monkeypatch.setattr("soc_store.archive.RETIRED", 3)
    assert sealed.retire("2024-01-01") == 6
    verdict, faults = sealed.verify()
    assert (faults, verdict.entries) == ([], 8)


def test_a_manifest_of_the_version_before_is_read_verified_and_brought_up(tmp_path):
    sealed = Sealed(tmp_path)
    sealed.seal(0)
    added = ("TABLE replaced", "TABLE compaction", "INDEX segment_partition")
    sealed.sql(*(f"DROP {one}" for one in added), "UPDATE meta SET value = 2 WHERE name = 'version'")
    assert (sealed.verify()[1], sealed.verify()[0].entries) == ([], 2)
    sealed.seal(1)
    sealed.seal(1)
    assert sealed.compact() == 2
    sealed.retire("2023-11-16")
    assert (sealed.verify()[1], sealed.verify()[0].removed) == ([], 2)


def test_a_manifest_of_a_later_version_is_told(tmp_path):
    (tmp_path / "archive/live").mkdir(parents=True)
    sealed = Sealed(tmp_path)
    create(sealed.live / "manifest.db", manifest_module.KIND._replace(version=9))
    assert "has version 9" in sealed.verify()[1][0].what


@pytest.mark.timeout(60)
def test_an_archive_is_verified_while_it_is_written(sealed):
    """Sealing, retention and checkpoints go on all the while; no verdict ever finds a fault."""
    archive, done, entries = Archive.open(sealed.archive, now=Clock()), threading.Event(), []

    def write():
        try:
            for offset in range(4, 60):
                archive.add(one(offset, day=offset % 5))
                archive.seal_due(NOON, force=True)
                if offset % 7 == 0:
                    archive.retire(rule(f"2023-11-{15 + offset % 5}"))
                sealed.sign(NOON + offset)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        verdict, faults = sealed.verify(patience_s=5.0)
        assert faults == []
        entries.append(verdict.entries)
    writer.join()
    archive.close()
    verdict, faults = sealed.verify()
    assert faults == []
    assert verdict.proved_sequence == verdict.entries > 100
    assert entries == sorted(entries)


def test_a_search_reads_again_when_a_segment_is_retired_under_it(sealed, tmp_path, monkeypatch):
    from soc_store import event_search

    (tmp_path / "outcomes").mkdir()
    read = event_search._read_segments
    retired = []

    def meanwhile(*values):
        if not retired:
            retired.append(sealed.retire("2023-11-17"))
        return read(*values)

    monkeypatch.setattr(event_search, "_read_segments", meanwhile)
    assert [row["raw"] for row in search_events(tmp_path, SYSTEM, EventQuery()).rows] == ["3-2", "3-1", "3-0"]
    assert retired == [4]


def test_a_search_that_fails_for_another_reason_fails(sealed, tmp_path):
    (tmp_path / "outcomes").mkdir()
    sealed.files()[0].unlink()
    with pytest.raises(Exception, match="host-0000000001"):
        search_events(tmp_path, SYSTEM, EventQuery())
