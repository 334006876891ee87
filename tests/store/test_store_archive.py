"""The archive: every row sealed exactly once whatever crashes and whatever is added again; counts equal rows."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc_model.event import COLUMNS
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_store import archive as archive_module
from soc_store import merkle, segment_file
from soc_store.archive import Archive
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import Manifest, ManifestReader
from tests.store.making import DAY, NOON, Clock, block, finding, outcome, stat

MINUTE = 60_000_000


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
def archive(tmp_path):
    opened = Archive.open(tmp_path, now=Clock())
    yield opened
    opened.close()


def rich(offset, rows=3, realm="live", layer="host", day=0):
    """An outcome with rows, one finding and a count in one partition."""
    received = NOON + day * DAY
    raws = [f"{offset}-{n}" for n in range(rows)]
    one = finding(offset, layer=Layer(layer), realm=Realm(realm), received=received)
    counted = stat(rows, layer=Layer(layer), realm=Realm(realm), day=f"2023-11-{15 + day}", findings=1)
    return outcome(
        offset, block(offset, raws, realm=realm, layer=layer, received=received), findings=(one,), stats=(counted,)
    )


def manifest(folder, realm="live"):
    reader = ManifestReader(folder / realm)
    found = (reader.segments(), reader.stats(), reader.sealed, reader.through)
    reader.close()
    return found


def sealed_rows(folder, kind, column, realm="live"):
    """The values of a column in all sealed segments of a kind."""
    segments = [segment for segment in manifest(folder, realm)[0] if segment.kind == kind]
    paths = [str(folder / realm / segment.file) for segment in segments]
    if not paths:
        return []
    with duckdb.connect() as connection:
        return [row[0] for row in connection.execute(f"SELECT {column} FROM read_parquet(?)", [paths]).fetchall()]


def abandon(archive):
    """End without a farewell, as a killed process does: only the kernel lets go of the lock."""
    archive._lock.release()


def test_rows_findings_and_counts_are_sealed_together(tmp_path, archive):
    archive.add(rich(1))
    archive.add(rich(2))
    assert (archive.sealed_through(), archive.seal_due(NOON)) == (0, 0)
    assert archive.seal_due(NOON + MINUTE) == 2
    segments, stats, sealed, through = manifest(tmp_path)
    assert [(s.sequence, s.kind, s.rows, s.first_offset, s.last_offset) for s in segments] == [
        (1, "events", 6, 1, 2),
        (2, "findings", 2, 1, 2),
    ]
    assert [(s.events, s.findings, s.raw_bytes) for s in stats] == [(6, 2, 60)]
    assert (sealed, through, archive.sealed_through()) == ({("host", "2023-11-15"): 2}, 2, 2)
    assert sealed_rows(tmp_path, "events", "raw") == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2"]
    assert len(sealed_rows(tmp_path, "findings", "body")) == 2


def test_a_large_partition_is_due_at_once(archive, monkeypatch):
    archive.add(rich(1, rows=19_998))
    assert archive.seal_due(NOON) == 0
    archive.add(rich(2, rows=1))
    assert archive.seal_due(NOON) == 2


def test_each_realm_layer_and_day_is_a_partition_of_its_own(tmp_path, archive):
    places = [(realm, layer, day) for realm in ("live", "drill") for layer in ("host", "network") for day in (0, 1)]
    for offset, (realm, layer, day) in enumerate(places, 1):
        archive.add(rich(offset, realm=realm, layer=layer, day=day))
    assert archive.seal_due(NOON, force=True) == 16
    assert sealed_rows(tmp_path, "events", "DISTINCT realm", "drill") == ["drill"]
    assert len(manifest(tmp_path)[0]) == len(manifest(tmp_path, "drill")[0]) == 8
    assert {path.parent.name for path in (tmp_path / "drill/events").rglob("*.parquet")} == {"2023-11-15", "2023-11-16"}


def test_outcomes_are_synced_before_anything_of_them_is_sealed(tmp_path, archive):
    seen = []
    archive.add(rich(1))
    archive.seal_due(NOON, sync=lambda: seen.append("not due"))
    archive.seal_due(NOON + MINUTE, sync=lambda: seen.append(len(list(tmp_path.rglob("*.parquet")))))
    assert seen == [0]
    assert list(tmp_path.rglob("*.parquet"))


def test_the_watermark_is_held_back_by_what_is_not_sealed(tmp_path, archive):
    archive.add(rich(1))
    archive.add(rich(2, layer="network"))
    archive.add(outcome(3))
    archive._gathered[next(key for key in archive._gathered if key.layer == "host")].since = NOON + MINUTE
    assert archive.seal_due(NOON + MINUTE) == 2
    assert (archive.sealed_through(), manifest(tmp_path)[3]) == (0, 0)
    archive.seal_due(NOON + 2 * MINUTE)
    assert (archive.sealed_through(), manifest(tmp_path)[3]) == (3, 3)


def test_columns_hold_what_was_given_and_null_where_nothing_was(tmp_path, archive):
    given_block = block(
        1,
        ["a\\xff", "b\0\u4e2d"],
        raw_binary=[b"a\xff", None],
        source__port=[22, 10**12],
        host__name=["h\ud800", 7],
        user__name=[None, "u"],
        flags="",
    )
    archive.add(outcome(1, given_block))
    archive.seal_due(NOON, force=True)
    assert sealed_rows(tmp_path, "events", "raw_binary") == [b"a\xff", None]
    assert sealed_rows(tmp_path, "events", "raw") == ["a\\xff", "b\0\u4e2d"]
    assert sealed_rows(tmp_path, "events", '"source.port"') == [22, None]
    assert sealed_rows(tmp_path, "events", '"host.name"') == ["h\\ud800", "7"]
    assert sealed_rows(tmp_path, "events", '"url.domain"') == [None, None]
    (path,) = (tmp_path / "live").rglob("*.parquet")
    described = duckdb.connect().execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert {row[0]: row[1] for row in described} == COLUMNS


def test_the_merkle_root_is_over_ids_and_exact_raw(tmp_path, archive):
    one = block(1, ["a\\xff", "b"], raw_binary=[b"a\xff", None])
    archive.add(outcome(1, one))
    archive.seal_due(NOON, force=True)
    leaves = [merkle.leaf(name, raw) for name, raw in zip(one.columns["event_id"], (b"a\xff", b"b"), strict=True)]
    assert manifest(tmp_path)[0][0].merkle_root == merkle.root(leaves)


def recursive_root(leaves):
    """RFC 6962 §2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.sha256(b"\x01" + recursive_root(leaves[:k]) + recursive_root(leaves[k:])).digest()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33, 255, 256, 257, 700, 1025])
def test_the_merkle_tree_is_that_of_rfc_6962(n):
    leaves = [merkle.leaf(str(i), b"") for i in range(n)]
    assert merkle.root(leaves) == recursive_root(leaves).hex()


def test_added_again_is_passed_over(tmp_path, archive):
    for offset in (1, 2, 2, 1, 3):
        archive.add(rich(offset))
    archive.seal_due(NOON, force=True)
    for offset in (1, 2, 3, 4):
        archive.add(rich(offset))
    archive.seal_due(NOON, force=True)
    assert len(sealed_rows(tmp_path, "events", "raw")) == 12


CRASHES = [
    (segment_file, "write_parquet", "before"),
    (segment_file, "write_parquet", "after"),
    (segment_file, "publish", "before"),
    (segment_file, "publish", "after"),
    (archive_module, "write_findings", "before"),
    (archive_module, "write_findings", "after"),
    (Manifest, "seal", "before"),
    (Manifest, "seal", "after"),
]


def crashing(monkeypatch, place, name, when):
    """Let the process end before or after a step."""
    step = getattr(place, name)

    def crash(*values, **named):
        if when == "after":
            step(*values, **named)
        raise Crash

    monkeypatch.setattr(place, name, crash)


@pytest.mark.parametrize(("place", "name", "when"), CRASHES)
def test_a_crash_at_any_step_neither_loses_nor_doubles(tmp_path, monkeypatch, place, name, when):
    first = Archive.open(tmp_path, now=Clock())
    first.add(rich(1))
    first.add(rich(2, layer="network"))
    with monkeypatch.context() as patch:
        crashing(patch, place, name, when)
        with pytest.raises(Crash):
            first.seal_due(NOON, force=True)
    abandon(first)
    again = Archive.open(tmp_path, now=Clock())
    for offset, layer in ((1, "host"), (2, "network")):
        if offset > again.sealed_through():
            again.add(rich(offset, layer=layer))
    again.seal_due(NOON, force=True)
    assert sorted(sealed_rows(tmp_path, "events", "raw")) == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2"]
    assert len(sealed_rows(tmp_path, "findings", "finding_id")) == 2
    assert sum(one.events for one in manifest(tmp_path)[1]) == 6
    named = {segment.file for segment in manifest(tmp_path)[0]}
    on_disk = {str(path.relative_to(tmp_path / "live")) for path in (tmp_path / "live").glob("*/*/*")}
    assert on_disk == named
    again.close()


def test_an_error_while_sealing_keeps_what_was_gathered(tmp_path, archive, monkeypatch):
    archive.add(rich(1))
    with monkeypatch.context() as patch:
        crashing(patch, segment_file, "publish", "before")
        with pytest.raises(Crash):
            archive.seal_due(NOON, force=True)
    assert archive.seal_due(NOON, force=True) == 2
    assert sealed_rows(tmp_path, "events", "raw") == ["1-0", "1-1", "1-2"]


STEP = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(["live", "drill"]), st.sampled_from(["host", "data"]), st.integers(0, 1)),
    st.tuples(st.just("seal")),
    st.tuples(st.just("seal one")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("crash"), st.integers(0, len(CRASHES) - 1)),
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEP, max_size=14))
def test_any_run_of_adds_seals_restarts_and_crashes_seals_each_row_once(tmp_path_factory, steps):
    folder, log = tmp_path_factory.mktemp("archive"), []
    archive = Archive.open(folder, now=Clock())

    def restarted():
        abandon(archive)
        opened = Archive.open(folder, now=Clock())
        assert opened.sealed_through() <= len(log)
        for one in log[opened.sealed_through() :]:
            opened.add(one)
        return opened

    for step in steps:
        if step[0] == "add":
            log.append(rich(len(log) + 1, realm=step[1], layer=step[2], day=step[3]))
            archive.add(log[-1])
        elif step[0] == "seal":
            archive.seal_due(NOON, force=True)
        elif step[0] == "seal one" and archive._gathered:
            archive._seal(next(iter(archive._gathered)))
        elif step[0] == "restart":
            archive = restarted()
        elif step[0] == "crash" and archive._gathered:
            with pytest.MonkeyPatch.context() as patch:
                crashing(patch, *CRASHES[step[1]])
                with pytest.raises(Crash):
                    archive.seal_due(NOON, force=True)
            archive = restarted()
    archive.seal_due(NOON, force=True)
    assert archive.sealed_through() == len(log)
    archive.close()
    _check_each_row_once(folder, log)


def _check_each_row_once(folder, log):
    for realm in ("live", "drill"):
        wanted = sorted(f"{one.offset}-{n}" for one in log if one.findings[0].realm == realm for n in range(3))
        if not wanted:
            continue
        assert sorted(sealed_rows(folder, "events", "raw", realm)) == wanted
        assert len(sealed_rows(folder, "findings", "body", realm)) == len(wanted) / 3
        segments, stats, _, _ = manifest(folder, realm)
        assert sum(one.events for one in stats) == len(wanted)
        assert [segment.sequence for segment in segments] == list(range(1, len(segments) + 1))


def test_segments_without_a_manifest_are_refused_not_deleted(tmp_path, archive):
    archive.add(rich(1))
    archive.seal_due(NOON, force=True)
    archive.close()
    for path in (tmp_path / "live").glob("manifest.db*"):
        path.unlink()
    with pytest.raises(Problem, match="segments but no manifest"):
        Archive.open(tmp_path, now=Clock())
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_a_second_archiver_is_refused(tmp_path, archive):
    with pytest.raises(Problem, match="in use"):
        Archive.open(tmp_path, now=Clock())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_parquet('{folder}/../other/x.parquet')",
        "COPY (SELECT 1) TO '/tmp/fengsui-leak.csv'",
        "ATTACH '/tmp/fengsui-leak.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '64GiB'",
        "SET allowed_directories = ['/']",
    ],
)
def test_duckdb_sees_nothing_but_its_folder(tmp_path, sql):
    folder = tmp_path / "it's"
    folder.mkdir()
    with open_duckdb(folder) as connection:
        connection.execute("COPY (SELECT 1 AS a) TO $p (FORMAT parquet)", {"p": str(folder / "x.parquet")})
        assert connection.execute("SELECT a FROM read_parquet(?)", [[str(folder / "x.parquet")]]).fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            connection.execute(sql.format(folder=folder))
        settings = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
        assert (settings["memory_limit"], settings["threads"]) == ("1.0 GiB", "2")
