"""Searches over sealed and unsealed rows: each row once, newest first, only what the scope sees."""

import base64
import random
import subprocess
import sys
import threading

import pytest

from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store import archive_view
from soc_store.archive import Archive
from soc_store.keyset import encode_cursor
from soc_store.outcome_log import OutcomeLog, encode_outcome
from soc_store.search import EventQuery, FindingQuery, search_events, search_findings
from tests.store.making import DAY, NOON, SYSTEM, Clock, block, finding, outcome


class Data:
    """A data folder with its two writers."""

    def __init__(self, folder):
        self.folder = folder
        self.log = OutcomeLog.open(folder / "outcomes")
        self.archive = Archive.open(folder / "archive", now=Clock())

    def write(self, *outcomes):
        self.log.append([encode_outcome(one) for one in outcomes])

    def seal(self, *outcomes):
        self.write(*outcomes)
        for one in outcomes:
            self.archive.add(one)
        self.archive.seal_due(NOON, force=True)

    def seal_again(self, outcomes):
        """Seal what was written, and let go of the log's file."""
        for one in outcomes:
            self.archive.add(one)
        self.archive.seal_due(NOON, force=True)
        self.log.rotate_if_due(NOON, file_bytes=1)
        assert self.log.drop_through(self.archive.sealed_through()) == 1

    def find(self, text="", scope=SYSTEM, **more):
        return search_events(self.folder, scope, EventQuery(text=text, **more))

    def raws(self, text="", scope=SYSTEM, **more):
        return [row["raw"] for row in self.find(text, scope, **more).rows]


@pytest.fixture
def data(tmp_path):
    made = Data(tmp_path)
    yield made
    made.log.close()
    made.archive.close()


def events(offset, *raws, **more):
    return outcome(offset, block(offset, list(raws), **more))


def test_nothing_yet_is_an_empty_page(tmp_path):
    page = search_events(tmp_path, SYSTEM, EventQuery())
    assert (page.rows, page.cursor, page.scanned_rows) == ([], None, 0)
    assert search_findings(tmp_path, SYSTEM, FindingQuery(key="k", first_offset=1, last_offset=9)).findings == []


def test_sealed_and_unsealed_rows_come_together_newest_first(data):
    data.seal(events(1, "one", "two"))
    data.write(events(2, "three"))
    page = data.find()
    assert [row["raw"] for row in page.rows] == ["three", "two", "one"]
    assert (page.cursor, page.scanned_rows) == (None, 3)


def test_a_row_is_the_same_sealed_and_unsealed(data):
    one = events(1, "a\\xff", raw_binary=[b"a\xff"], host__name=["h"], source__port=[22], flags="unparsed")
    data.write(one)
    (unsealed,) = data.find().rows
    data.archive.add(one)
    data.archive.seal_due(NOON, force=True)
    assert data.find().rows == [unsealed]
    assert (unsealed["raw_binary"], unsealed["source.port"]) == (base64.b64encode(b"a\xff").decode(), 22)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"text": "ALPHA"}, ["alpha 1", "alpha 3"]),
        ({"text": "user.name:bob"}, ["beta 2"]),
        ({"text": "alpha NOT 3"}, ["alpha 1"]),
        ({"since": NOON + 1001}, ["beta 2", "alpha 3"]),
        ({"until": NOON + 1001}, ["alpha 1"]),
        ({"layers": (Layer.HOST,)}, ["alpha 1", "beta 2", "alpha 3"]),
        ({"layers": (Layer.DATA,)}, []),
        ({"realms": (Realm.DRILL,)}, []),
        ({"source_ids": ("s1",)}, ["alpha 1", "beta 2", "alpha 3"]),
        ({"source_ids": ("s9",)}, []),
        ({"event_ids": ("e2", "e9")}, ["beta 2"]),
    ],
)
def test_each_question_is_answered_alike_sealed_and_unsealed(data, asked, found, sealed):
    one = events(1, "alpha 1", "beta 2", "alpha 3", user__name=["ann", "bob", None], event_id=["e1", "e2", "e3"])
    (data.seal if sealed else data.write)(one)
    assert data.raws(**asked) == found[::-1]


def test_paging_shows_each_row_once_also_where_keys_are_equal(data):
    rows = [f"r{n}" for n in range(12)]
    same = {"@timestamp": [NOON] * 12, "byte": [0] * 12, "event_id": ["x"] * 12}
    data.seal(outcome(1, block(1, rows, **same)))
    data.write(outcome(2, block(2, rows, **same)), events(3, *rows))
    seen, cursor = [], None
    for _ in range(20):
        page = data.find(limit=5, cursor=cursor)
        seen += [(row["offset"], row["raw"]) for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert cursor is None
    assert sorted(seen) == sorted((offset, row) for offset in (1, 2, 3) for row in rows)


def test_redelivered_records_with_one_event_id_are_both_found(data):
    data.seal(events(1, "same", event_id=["e"]))
    data.write(events(2, "same", event_id=["e"]))
    assert [row["offset"] for row in data.find(event_ids=("e",)).rows] == [2, 1]


def test_old_segments_are_not_read_once_the_page_is_full(data):
    for offset in range(1, 31):
        data.seal(events(offset, f"r{offset}"))
    page = data.find(limit=2)
    assert [row["raw"] for row in page.rows] == ["r30", "r29"]
    assert page.scanned_rows == 8


def test_the_manifest_prunes_by_time_and_layer(data):
    for offset, layer in enumerate(("host", "data", "host"), 1):
        data.seal(events(offset, "x", layer=layer, **{"@timestamp": [NOON - offset * DAY]}))
    assert data.find(since=NOON - 2 * DAY).scanned_rows == 2
    assert data.find(layers=(Layer.DATA,)).scanned_rows == 1


SCOPES = [
    (Scope(units=frozenset({"u1"}), realms=frozenset({Realm.LIVE})), {("u1", "live")}),
    (Scope(units=frozenset({"u2"}), realms=frozenset(Realm)), {("u2", "live"), ("u2", "drill")}),
    (Scope(units=None, realms=frozenset({Realm.DRILL})), {("u1", "drill"), ("u2", "drill")}),
    (Scope(units=frozenset(), realms=frozenset(Realm)), set()),
    (Scope(units=frozenset({"u1' OR '1'='1"}), realms=frozenset(Realm)), set()),
    (Scope(units=None, realms=frozenset()), set()),
]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(("scope", "seen"), SCOPES)
@pytest.mark.parametrize("text", ["", "NOT nothing", "unit:* OR realm:*", "*"])
def test_no_row_outside_the_scope_is_found(data, scope, seen, sealed, text):
    places = [(unit, realm) for unit in ("u1", "u2") for realm in ("live", "drill", "test")]
    made = [
        outcome(n, block(n, ["x"], unit=unit, realm=realm), findings=(finding(n, unit=unit, realm=Realm(realm)),))
        for n, (unit, realm) in enumerate(places, 1)
    ]
    (data.seal if sealed else data.write)(*made)
    allowed = {place for place in seen if place[1] != "test" or Realm.TEST in scope.realms}
    expected = {place for place in places if scope.sees(place[0], Realm(place[1]))}
    assert allowed <= expected
    page = data.find(text, scope)
    assert {(row["unit"], row["realm"]) for row in page.rows} == expected
    query = FindingQuery(key="k1", first_offset=0, last_offset=99)
    assert {(one.unit, one.realm.value) for one in search_findings(data.folder, scope, query).findings} == expected


def test_asking_for_a_realm_never_widens_the_scope(data):
    data.seal(events(1, "x", realm="drill"))
    assert data.raws(scope=SYSTEM.narrowed(frozenset({Realm.LIVE})), realms=(Realm.DRILL, Realm.LIVE)) == []


def test_units_may_differ_within_a_block(data):
    mixed = events(1, "mine", "theirs", unit=["u1", "u2"])
    scope = Scope(units=frozenset({"u1"}), realms=frozenset(Realm))
    data.write(mixed)
    assert data.raws(scope=scope) == ["mine"]
    data.archive.add(mixed)
    data.archive.seal_due(NOON, force=True)
    assert data.raws(scope=scope) == ["mine"]


def test_findings_of_a_key_and_range_come_newest_first_in_pages(data):
    three = {n: (finding(n), finding(n, 1, key="other"), finding(n, 2)) for n in range(1, 9)}
    made = [outcome(n, block(n, ["x"]), findings=found) for n, found in three.items()]
    data.seal(*made[:5])
    data.write(*made[5:])
    seen, cursor = [], None
    for _ in range(9):
        query = FindingQuery(key="k1", first_offset=2, last_offset=7, limit=5, cursor=cursor)
        page = search_findings(data.folder, SYSTEM, query)
        seen += page.findings
        cursor = page.cursor
        if cursor is None:
            break
    wanted = [one for each in made[1:7] for one in each.findings if one.key == "k1"]
    assert seen == sorted(wanted, key=lambda one: (one.at, one.offset, one.finding_id), reverse=True)


def test_findings_of_a_rule_come_whatever_their_key(data):
    two = {n: (finding(n), finding(n, 1, key="other"), finding(n, 2, rule_id="r2")) for n in range(1, 5)}
    made = [outcome(n, block(n, ["x"]), findings=found) for n, found in two.items()]
    data.seal(*made[:2])
    data.write(*made[2:])
    page = search_findings(data.folder, SYSTEM, FindingQuery(rule_id="r1", first_offset=2, last_offset=4))
    assert [(one.offset, one.key) for one in page.findings] == [
        (offset, key) for offset in (4, 3, 2) for key in ("other", "k1")
    ]


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"cursor": "rubbish"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": encode_cursor([10**30, 1, 0, 0, "x", 1])}, "cursor"),
        ({"cursor": encode_cursor([1, 1, 0, 0, "x", -1])}, "cursor"),
        ({"cursor": encode_cursor([1, 1, 0, 0, "x", "y"])}, "cursor"),
        ({"cursor": "WyJ4Iiwx"}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"text": "(x"}, "query:3"),
    ],
)
def test_a_bad_question_is_refused_with_its_place(data, asked, place):
    with pytest.raises(Problem) as caught:
        data.find(**asked)
    assert caught.value.place == place


def test_each_row_is_found_once_while_it_is_sealed_and_dropped(data, monkeypatch):
    """The archiver seals, the log rotates and drops its files, all between any two steps of the search."""
    monkeypatch.setattr(archive_view, "READ", 2)
    stop, wanted = threading.Event(), {}

    def archiver():
        rng = random.Random(1)
        for offset in range(1, 120):
            one = events(offset, f"r{offset}")
            data.write(one)
            wanted[offset] = True
            data.archive.add(one)
            if rng.random() < 0.3:
                data.archive.seal_due(NOON, force=True)
                data.log.rotate_if_due(NOON, file_bytes=1)
                data.log.drop_through(data.archive.sealed_through())
            if stop.is_set():
                break

    thread = threading.Thread(target=archiver)
    thread.start()
    try:
        for _ in range(12):
            before = set(wanted)
            found = [row["offset"] for row in data.find(limit=1000).rows]
            assert len(found) == len(set(found))
            assert before <= set(found)
    finally:
        stop.set()
        thread.join()


def test_what_is_sealed_and_dropped_before_the_log_is_read_is_found(data, monkeypatch):
    """Between the view of the manifest and the reading of the log, all is sealed and the log's file goes."""
    made = [events(1, "a"), events(2, "b")]
    data.write(*made)
    blocks = archive_view.ArchiveView.blocks

    def late(view):
        monkeypatch.setattr(archive_view.ArchiveView, "blocks", blocks)
        data.seal_again(made)
        return blocks(view)

    monkeypatch.setattr(archive_view.ArchiveView, "blocks", late)
    assert data.raws() == ["b", "a"]


def test_the_words_of_the_search_load_no_driver():
    code = (
        "import sys, soc_store.search, soc_store.source_report\n"
        "print([name for name in ('duckdb', 'sqlalchemy', 'nanoarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
