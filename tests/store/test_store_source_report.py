"""Source reports: sealed and unsealed counts once each, collect's counters, only sources the scope sees."""

import pytest

from soc_model.layer import Layer, Realm
from soc_model.scope import Scope
from soc_store.archive import Archive
from soc_store.journal import Journal
from soc_store.outcome_log import OutcomeLog, encode_outcome
from soc_store.source_report import facts, source_reports
from tests.store.making import NOON, SYSTEM, Clock, block, outcome, source, stat

SOURCES = [source("s1"), source("s2", unit="u2"), source("s3", realm=Realm.DRILL), source("s4")]


@pytest.fixture
def data(tmp_path):
    """Three batches, of which the second is sealed in one layer and not in the other."""
    log = OutcomeLog.open(tmp_path / "outcomes")
    archive = Archive.open(tmp_path / "archive", now=Clock())
    lagged = stat(2, lag_max_s=7.5, last_received=NOON + 5, unparsed=1, findings=3)
    network = stat(4, layer=Layer.NETWORK, source_id="s2", unit="u2", truncated=1)
    drill = stat(8, realm=Realm.DRILL, source_id="s3")
    made = [
        outcome(1, block(1, ["a"]), stats=(stat(1), stat(1, dataset="other"))),
        outcome(2, block(2, ["b"]), stats=(lagged, network)),
        outcome(3, block(3, ["c"]), stats=(stat(16), drill)),
    ]
    log.append([encode_outcome(one) for one in made])
    for one in made[:2]:
        archive.add(one)
    archive._seal(next(key for key in archive._gathered if key.layer == Layer.HOST))
    journal = Journal.open(tmp_path / "journal", {}, now=Clock())
    journal.commit([], [], {("s1", "torn"): 2, ("s2", "refused"): 1})
    for store in (log, archive, journal):
        store.close()
    return tmp_path


def test_counts_add_up_over_sealed_and_unsealed_batches(data):
    reports = {report.source_id: report for report in source_reports(data, SYSTEM, SOURCES)}
    first = reports["s1"]
    assert (first.events, first.raw_bytes, first.unparsed, first.findings) == (20, 200, 1, 3)
    assert (first.last_received, first.lag_max_s, first.counters) == (NOON + 5, 7.5, {"torn": 2})
    assert (reports["s2"].events, reports["s2"].truncated, reports["s3"].events) == (4, 1, 8)
    assert (reports["s4"].events, reports["s4"].last_received, reports["s4"].counters) == (0, 0, {})


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(units=frozenset({"u2"}), realms=frozenset(Realm)), ["s2"]),
        (Scope(units=None, realms=frozenset({Realm.DRILL})), ["s3"]),
        (Scope(units=frozenset(), realms=frozenset(Realm)), []),
    ],
)
def test_only_sources_of_the_scope_are_reported(data, scope, seen):
    assert [report.source_id for report in source_reports(data, scope, SOURCES)] == seen


def test_counts_of_another_unit_are_not_summed_in(data):
    """A source that was moved to another unit: what it sent before stays the old unit's."""
    moved = [source("s2", unit="u1")]
    scope = Scope(units=frozenset({"u1"}), realms=frozenset(Realm))
    assert [report.events for report in source_reports(data, scope, moved)] == [0]


def test_the_last_received_is_a_fact_that_is_unknown_for_a_silent_source(data):
    told = {fact.subject: fact for fact in facts(source_reports(data, SYSTEM, SOURCES), NOON + 10)}
    assert (told["s1"].value, told["s1"].as_of, told["s4"].value) == (NOON + 5, NOON + 10, None)
    assert told["s1"].holds(NOON + 300_000_000)
    assert not told["s1"].holds(NOON + 301_000_000)


def test_a_center_that_has_not_begun_has_reports_of_zero(tmp_path):
    assert [report.events for report in source_reports(tmp_path, SYSTEM, SOURCES)] == [0] * 4
