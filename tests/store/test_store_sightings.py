"""Sightings in the archive: one row a key between two seals, sealed once, proved, retired, read in order."""

import duckdb
import msgspec
import pytest

from soc_model.layer import Layer, Realm
from soc_model.sighting import Sighting
from soc_store.archive import Archive
from soc_store.checkpoint import CheckpointFile
from soc_store.manifest import ManifestReader
from soc_store.outcome_log import decode_head, encode_outcome
from soc_store.sighting_reading import NewSightings
from tests.assets.seeing import linked, sighting
from tests.store.making import DAY, NOON, Clock, block, outcome, stat
from tests.store.sealing import Sealed


def seen(offset, *sightings, day=0, capped=0):
    """An outcome with an event, its count and these sightings."""
    received = NOON + day * DAY
    counted = stat(1, day=f"2023-11-{15 + day}", sightings_capped=capped)
    made = outcome(offset, block(offset, [f"{offset}"], received=received), stats=(counted,))
    return msgspec.structs.replace(made, received=received, sightings=list(sightings))


@pytest.fixture
def archive(tmp_path):
    opened = Archive.open(tmp_path, now=Clock())
    yield opened
    opened.close()


def seal(archive, *outcomes):
    for one in outcomes:
        archive.add(one)
    return archive.seal_due(NOON, force=True)


def rows(folder, realm="live"):
    """(offset, sighting) of everything sealed, in the order of files."""
    reader = ManifestReader(folder / realm)
    paths = [str(folder / realm / segment.file) for segment in reader.of_kind("sightings", 0)]
    reader.close()
    if not paths:
        return []
    with duckdb.connect() as connection:
        found = connection.execute('SELECT "offset", body FROM read_parquet(?)', [paths]).fetchall()
    return [(offset, msgspec.json.decode(body, type=Sighting)) for offset, body in found]


def test_a_key_is_one_row_between_two_seals(tmp_path, archive):
    link = linked("user", "王磊", "seen_on", "host", "web-01")
    assert seal(archive, seen(1, sighting(first=5), link), seen(2, sighting(last=90, count=3))) == 2
    seal(archive, seen(3, sighting()))
    assert rows(tmp_path) == [(2, sighting(first=5, last=90, count=4)), (1, link), (3, sighting())]
    reader = ManifestReader(tmp_path / "live")
    events, sightings, *_ = reader.segments()
    reader.close()
    assert (events.kind, sightings.kind, sightings.rows, sightings.min_time, sightings.max_time) == (
        *("events", "sightings", 2),
        *(20, 90),
    )


def test_realms_and_layers_are_sealed_apart(tmp_path, archive):
    seal(archive, seen(1, sighting(realm=Realm.DRILL), sighting(layer=Layer.DATA)))
    assert [one.realm for _, one in rows(tmp_path, "drill")] == [Realm.DRILL]
    assert [one.layer for _, one in rows(tmp_path)] == [Layer.DATA]


def test_added_again_is_passed_over_and_what_was_not_sealed_is_added(tmp_path, archive):
    archive.add(seen(1, sighting()))
    archive._lock.release()  # as a killed process does
    again = Archive.open(tmp_path, now=Clock())
    seal(again, seen(1, sighting()))
    seal(again, seen(1, sighting()), seen(2, sighting(count=7)))
    assert [(offset, one.count) for offset, one in rows(tmp_path)] == [(1, 1), (2, 7)]
    again.close()


def test_an_outcome_written_before_there_were_sightings_has_none():
    head = encode_outcome(outcome(1)).head
    old = msgspec.to_builtins(outcome(1))
    del old["sightings"]
    assert msgspec.convert(old, type(outcome(1))).sightings == decode_head(head).sightings == []


def test_an_outcome_keeps_its_sightings_in_the_head():
    given = [sighting(value="主机-1"), linked("address", "10.0.0.1", "connected", "service", "10.0.0.2:443")]
    assert decode_head(encode_outcome(seen(1, *given)).head).sightings == given


def test_what_was_left_out_is_counted_in_a_manifest_of_any_age(tmp_path, archive):
    seal(archive, seen(1))
    reader = ManifestReader(tmp_path / "live")
    assert [one.sightings_capped for one in reader.stats()] == [0]
    reader.close()
    seal(archive, seen(2, capped=3), seen(3, capped=4))
    reader = ManifestReader(tmp_path / "live")
    assert [(one.events, one.sightings_capped) for one in reader.stats()] == [(3, 7)]
    reader.close()


@pytest.fixture
def sealed(tmp_path):
    found = Sealed(tmp_path)
    archive = Archive.open(found.archive, now=Clock())
    seal(archive, seen(1, sighting(), sighting(value="db")))
    seal(archive, seen(2, sighting(), day=1))
    archive.close()
    found.sign()
    return found


def test_sightings_are_proved_like_events(sealed):
    verdict, faults = sealed.verify()
    assert (faults, verdict.events, verdict.sightings, verdict.proved_sequence) == ([], 2, 3, 4)


@pytest.mark.parametrize("sql", ["UPDATE segment SET rows = 9", "UPDATE segment SET merkle_root = '00'"])
def test_a_changed_entry_of_sightings_is_found(sealed, sql):
    sealed.sql(f"{sql} WHERE kind = 'sightings' AND sequence = 2")
    assert any(fault.sequence == 2 for fault in sealed.verify()[1])


def test_a_flipped_byte_and_a_missing_file_of_sightings_are_found(sealed):
    first, second = sorted((sealed.live / "sightings").rglob("*.parquet"))
    data = bytearray(first.read_bytes())
    data[40] ^= 1
    first.write_bytes(data)
    second.unlink()
    assert [fault.file for fault in sealed.verify()[1]] == [
        str(path.relative_to(sealed.live)) for path in (first, second)
    ]


def test_a_checkpoint_from_before_there_were_sightings_still_proves(sealed):
    view = ManifestReader(sealed.live)
    counts, head = view.counts(), view.digest(4)
    view.close()
    assert counts.pop("sightings") == 3
    CheckpointFile(sealed.checkpoints, Realm.LIVE).append(sealed.key, 4, head, counts, NOON + 1)
    verdict, faults = sealed.verify()
    assert (faults, verdict.proved_time) == ([], NOON + 1)


@pytest.mark.parametrize("counts", [{}, {"sightings": 4}, {"events": 2, "sightings": 2}])
def test_a_checkpoint_that_counts_otherwise_is_told(sealed, counts):
    view = ManifestReader(sealed.live)
    CheckpointFile(sealed.checkpoints, Realm.LIVE).append(sealed.key, 4, view.digest(4), counts, NOON + 1)
    view.close()
    (fault,) = sealed.verify()[1]
    assert "but there are" in fault.what


def test_retention_removes_sightings_with_their_day(sealed):
    assert sealed.retire("2023-11-16") == 2
    assert [path.parent.name for path in (sealed.live / "sightings").rglob("*.parquet")] == ["2023-11-16"]
    assert sealed.verify()[1] == []


def new(folder, folded=None, sequence=0, size=2):
    found = NewSightings.of(folder, Realm.LIVE, sequence, folded or {})
    return [] if found is None else list(found.slices(folded or {}, size))


def test_slices_follow_one_another_and_go_on_behind_any_cursor(tmp_path, archive):
    for offset in (1, 2, 3):
        seal(archive, seen(offset, *(sighting(value=f"h{offset}-{n}") for n in range(3))))
    slices = new(tmp_path)
    assert [len(one.sightings) for one in slices] == [2, 2, 2, 2, 1]
    whole = [sight for one in slices for sight in one.sightings]
    assert len({one.value for one in whole}) == 9
    begun = 0
    for one in slices:
        (rest,) = new(tmp_path, {one.partition: one.after}, size=50)
        assert rest.sightings == whole[begun:]
        begun += len(one.sightings)


def test_only_segments_above_the_last_looked_at_are_read(tmp_path, archive):
    seal(archive, seen(1, sighting()))
    assert new(tmp_path, sequence=2) == []
    seal(archive, seen(2, sighting(value="later")))
    assert [one.value for found in new(tmp_path, sequence=2) for one in found.sightings] == ["later"]


def test_a_realm_without_an_archive_has_nothing_new(tmp_path):
    assert NewSightings.of(tmp_path, Realm.TEST, 0, {}) is None


def unfolded(sealed, folded, rows=1):
    """The slices behind the cursors, by the offset and value of their only row."""
    new = NewSightings.of(sealed.archive, Realm.LIVE, 0, folded)
    assert new is not None
    return sorted((one.partition, one.cursor, one.sightings[0].value) for one in new.slices(folded, rows))


@pytest.mark.parametrize("done", range(5))
def test_what_compaction_joins_is_folded_once_wherever_the_fold_has_come(sealed, done):
    archive = Archive.open(sealed.archive, now=Clock())
    seal(archive, seen(3, sighting(), sighting(value="web")))
    archive.close()
    before = unfolded(sealed, {})
    folded = {partition: cursor for partition, cursor, _ in before[:done]}
    assert sealed.compact() >= 1
    assert unfolded(sealed, folded) == before[done:]
    verdict, faults = sealed.verify()
    assert (len(before), verdict.sightings, faults) == (5, 5, [])
