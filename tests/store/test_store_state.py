"""The state: ticks that count once, paging across ties, filters against a naive reading, scope, links, sessions."""

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from soc_model.alert import ENTITY_VALUES, AlertState
from soc_model.layer import Layer, Level, Realm
from soc_model.problem import Problem
from soc_model.right import Role
from soc_model.scope import Scope
from soc_model.session import Session
from soc_store import migration, state_tables
from soc_store.keyset import encode_cursor
from soc_store.outbox import KEPT_US
from soc_store.state import AlertFilter, State, back_up
from soc_store.state_database import open_engine
from tests.store.making import DAY, NOON, SYSTEM, card, delta

ALL = AlertFilter()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def state(url):
    opened = State.open(url, migrate=True)
    yield opened
    opened.close()


def listed(state, scope=SYSTEM, wanted=ALL, sort="last_seen", limit=7):
    """All alerts under a filter, page by page."""
    found, cursor = [], None
    while True:
        page = state.alerts(scope, wanted, sort, limit, cursor)
        found += page.alerts
        cursor = page.cursor
        if cursor is None:
            return found


def test_a_tick_that_does_not_follow_the_cursor_is_refused(state: State) -> None:
    state.commit_tick([delta("a")], 5, NOON, after=0)
    with pytest.raises(Problem, match="do not follow the stored cursor 5"):
        state.commit_tick([delta("a")], 9, NOON, after=3)
    assert state.cursor() == 5
    state.commit_tick([delta("a")], 9, NOON, after=5)
    assert state.cursor() == 9


def test_a_tick_opens_alerts_with_cursor_and_outbox(state):
    assert state.commit_tick([delta("a"), delta("b", count=3)], 5, NOON) == [1, 2]
    assert (state.cursor(), state.outbox_last()) == (5, 2)
    one = state.alert(SYSTEM, 2)
    assert (one.key, one.count, one.state, one.created, one.rule) == ("b", 3, AlertState.NEW, NOON, card())
    assert (one.group, one.entities, one.matched) == ({"host.name": "h1"}, {"host.name": ["h1"]}, {"a": "b"})
    items = state.outbox(SYSTEM, 0)
    assert [(item.seq, item.kind, item.body["id"]) for item in items] == [(1, "alert.new", 1), (2, "alert.new", 2)]
    contract = {"id", "rule_id", "title", "title_zh", "level", "layer", "count", "realm", "unit", "last_seen"}
    assert contract <= set(items[0].body)


@pytest.mark.parametrize("cursor", [5, 4, 0])
def test_a_cursor_that_does_not_grow_changes_nothing(state, cursor):
    state.commit_tick([delta("a")], 5, NOON)
    assert state.commit_tick([delta("a"), delta("b")], cursor, NOON) == []
    assert (state.alert(SYSTEM, 1).count, state.cursor(), state.outbox_last()) == (1, 5, 1)
    assert state.counts(SYSTEM, ALL).total == 1


def test_a_delta_widens_the_open_alert(state):
    state.commit_tick([delta(first_seen=50, last_seen=60, first_offset=3, last_offset=4)], 1, NOON)
    late = delta(
        count=4,
        first_seen=10,
        last_seen=90,
        first_offset=2,
        last_offset=9,
        level=Level.CRITICAL,
        rule=card(title="renamed", sha="11"),
        entities={"host.name": ["h2", "h1"], "user.name": ["u"]},
        sample_event_id="later",
    )
    assert state.commit_tick([late], 2, NOON + 1) == [1]
    one = state.alert(SYSTEM, 1)
    assert (one.count, one.first_seen, one.last_seen, one.first_offset, one.last_offset) == (5, 10, 90, 2, 9)
    assert (one.level, one.rule.title, one.sample_event_id) == (Level.CRITICAL, "renamed", "e1")
    assert one.entities == {"host.name": ["h1", "h2"], "user.name": ["u"]}
    assert (one.created, one.updated) == (NOON, NOON + 1)
    assert state.outbox(SYSTEM, 1)[0].kind == "alert.updated"
    assert state.counts(SYSTEM, ALL).by_level == {Level.CRITICAL: 1}


def test_what_a_storm_counted_is_kept_apart_too(state):
    state.commit_tick([delta(count=300, storm_count=200), delta(count=1)], 1, NOON)
    assert (state.alert(SYSTEM, 1).count, state.alert(SYSTEM, 1).storm_count) == (301, 200)
    state.commit_tick([delta(count=150, storm_count=50)], 2, NOON)
    state.set_state(SYSTEM, 1, AlertState.CLOSED, "p", NOON)
    assert (state.alert(SYSTEM, 1).count, state.alert(SYSTEM, 1).storm_count) == (451, 250)


def test_deltas_of_one_key_in_one_tick_are_one_alert(state):
    assert state.commit_tick([delta(count=1), delta(count=2, level=Level.LOW)], 1, NOON) == [1]
    one = state.alert(SYSTEM, 1)
    assert (one.count, one.level, state.counts(SYSTEM, ALL).total) == (3, Level.HIGH, 1)


def test_entities_are_capped_and_all_kept_ones_are_found(state):
    many = [f"h{n}" for n in range(80)]
    state.commit_tick([delta(entities={"host.name": many[:40]})], 1, NOON)
    state.commit_tick([delta(entities={"host.name": many[30:]})], 2, NOON)
    assert state.alert(SYSTEM, 1).entities["host.name"] == many[:ENTITY_VALUES]
    found = [name for name in many if listed(state, wanted=AlertFilter(entity=name))]
    assert found == many[:ENTITY_VALUES]


def test_a_long_entity_is_found_by_its_exact_value_only(state):
    long = "x" * 5000
    state.commit_tick([delta(entities={"file.path": [long, "bad\ud800"]})], 1, NOON)
    assert len(listed(state, wanted=AlertFilter(entity=long))) == 1
    assert listed(state, wanted=AlertFilter(entity=long + "x")) == []
    assert listed(state, wanted=AlertFilter(entity=long[:256])) == []
    assert len(listed(state, wanted=AlertFilter(entity="bad\\ud800"))) == 1


def test_a_closed_alert_stays_and_a_new_one_opens(state):
    state.commit_tick([delta()], 1, NOON)
    closed = state.set_state(SYSTEM, 1, AlertState.CLOSED, "ann", NOON + 5)
    assert (closed.state, closed.updated) == (AlertState.CLOSED, NOON + 5)
    assert state.commit_tick([delta()], 2, NOON) == [2]
    assert state.counts(SYSTEM, ALL).by_state == {AlertState.CLOSED: 1, AlertState.NEW: 1}
    with pytest.raises(Problem, match="alert 2 of the same key"):
        state.set_state(SYSTEM, 1, AlertState.NEW, "ann", NOON)
    assert state.alert(SYSTEM, 1).state is AlertState.CLOSED


def test_a_change_of_state_is_told_counted_and_remembered(state, tmp_path):
    state.commit_tick([delta()], 1, NOON)
    assert state.set_state(SYSTEM, 1, AlertState.ACKNOWLEDGED, "ann", NOON + 1).state is AlertState.ACKNOWLEDGED
    assert state.set_state(SYSTEM, 1, AlertState.ACKNOWLEDGED, "bob", NOON + 2).updated == NOON + 1
    (item,) = state.outbox(SYSTEM, 1)
    assert (item.kind, item.body["state"], item.body["person"]) == ("alert.updated", "acknowledged", "ann")
    state.commit_tick([delta()], 2, NOON)
    assert state.alert(SYSTEM, 1).state is AlertState.ACKNOWLEDGED
    with sqlite3.connect(tmp_path / "state.db") as kept:
        rows = kept.execute("SELECT alert_id, at, person, before, after FROM alert_change").fetchall()
    kept.close()
    assert rows == [(1, NOON + 1, "ann", "new", "acknowledged")]


def test_reopening_works_when_no_other_is_open(state):
    state.commit_tick([delta()], 1, NOON)
    state.set_state(SYSTEM, 1, AlertState.CLOSED, "ann", NOON)
    state.set_state(SYSTEM, 1, AlertState.NEW, "ann", NOON)
    assert state.commit_tick([delta()], 2, NOON) == [1]
    assert state.alert(SYSTEM, 1).count == 2


def made(n, rng):
    """A delta of few distinct values, so that sorts have ties and filters have matches."""
    rule = rng.randrange(8)
    return delta(
        f"k{n}",
        rule=card(f"r{rule}", title=f"Rule {rule} 50%_off", title_zh=f"规则{rule}", sha=str(rule)),
        level=list(Level)[rule % 5],
        layer=list(Layer)[rng.randrange(6)],
        unit=f"u{rng.randrange(4)}",
        realm=Realm.DRILL if rng.random() < 0.1 else Realm.LIVE,
        count=rng.randrange(1, 4),
        last_seen=NOON + rng.randrange(30) * 1000,
        entities={"host.name": [f"h{rng.randrange(40)}"], "user.name": ["SYSTEM" if n % 2 else f"v{n % 30}"]},
    )


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """600 alerts, of which some are acknowledged or closed; and all of them as a list."""
    rng = random.Random(7)
    state = State.open(f"sqlite:///{tmp_path_factory.mktemp('many')}/state.db", migrate=True)
    for tick in range(6):
        state.commit_tick([made(tick * 100 + n, rng) for n in range(100)], tick + 1, NOON)
    for alert_id in range(1, 600, 5):
        state.set_state(SYSTEM, alert_id, rng.choice([AlertState.ACKNOWLEDGED, AlertState.CLOSED]), "p", NOON)
    alerts = [state.alert(SYSTEM, alert_id) for alert_id in range(1, 601)]
    yield state, alerts
    state.close()


ORDERS = {
    "last_seen": lambda alert: (alert.last_seen, alert.id),
    "level": lambda alert: (alert.level.rank, alert.last_seen, alert.id),
    "count": lambda alert: (alert.count, alert.last_seen, alert.id),
}
FILTERS = [
    ALL,
    AlertFilter(states=(AlertState.NEW,)),
    AlertFilter(states=(AlertState.CLOSED, AlertState.ACKNOWLEDGED)),
    AlertFilter(min_level=Level.HIGH),
    AlertFilter(levels=(Level.LOW, Level.CRITICAL)),
    AlertFilter(layers=(Layer.DATA,)),
    AlertFilter(realms=(Realm.DRILL,)),
    AlertFilter(units=("u1", "u3")),
    AlertFilter(rule_id="r3"),
    AlertFilter(rule_id="r99"),
    AlertFilter(entity="h7"),
    AlertFilter(entity="SYSTEM"),
    AlertFilter(entity="system"),
    AlertFilter(text="RULE 3"),
    AlertFilter(text="规则4"),
    AlertFilter(text="50%_"),
    AlertFilter(text="5_%"),
    AlertFilter(since=NOON + 5000),
    AlertFilter(until=NOON + 5000),
    AlertFilter(since=NOON + 5000, until=NOON + 6000),
    AlertFilter(
        layers=(Layer.HOST, Layer.DATA), min_level=Level.MEDIUM, entity="SYSTEM", since=NOON + 3000, text="rule"
    ),
]
SCOPES = [
    SYSTEM,
    Scope(units=frozenset({"u1", "u2"}), realms=frozenset({Realm.LIVE})),
    Scope(units=None, realms=frozenset({Realm.DRILL})),
    Scope(units=frozenset(), realms=frozenset(Realm)),
]


def wanted_by(alert, scope, wanted):
    """The filter, read word by word."""
    entities = [value for values in alert.entities.values() for value in values]
    titles = f"{alert.rule.title}\n{alert.rule.title_zh}".lower()
    return (
        scope.sees(alert.unit, alert.realm)
        and (not wanted.states or alert.state in wanted.states)
        and (wanted.min_level is None or alert.level.rank >= wanted.min_level.rank)
        and (not wanted.levels or alert.level in wanted.levels)
        and (not wanted.layers or alert.layer in wanted.layers)
        and (not wanted.realms or alert.realm in wanted.realms)
        and (not wanted.units or alert.unit in wanted.units)
        and wanted.rule_id in ("", alert.rule.id)
        and (not wanted.entity or wanted.entity in entities)
        and wanted.text.lower() in titles
        and (wanted.since is None or alert.last_seen >= wanted.since)
        and (wanted.until is None or alert.last_seen < wanted.until)
    )


@pytest.mark.parametrize("few", [0, 5_000])
@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("wanted", FILTERS, ids=repr)
def test_every_filter_and_sort_pages_through_exactly_its_alerts(many, monkeypatch, wanted, sort, few):
    """``few`` 0: the order is always walked; 5,000: small sets are fetched and sorted."""
    monkeypatch.setattr("soc_store.alert_reading.FEW", few)
    state, alerts = many
    for scope in SCOPES:
        expected = [one for one in alerts if wanted_by(one, scope, wanted)]
        expected.sort(key=ORDERS[sort], reverse=True)
        assert listed(state, scope, wanted, sort, limit=23) == expected


@pytest.mark.parametrize("wanted", FILTERS, ids=repr)
def test_counts_and_histogram_agree_with_the_list(many, wanted):
    state, alerts = many
    for scope in SCOPES:
        expected = [one for one in alerts if wanted_by(one, scope, wanted)]
        counts = state.counts(scope, wanted)
        assert counts.total == len(expected) == sum(counts.by_layer.values()) == sum(counts.by_realm.values())
        assert counts.by_level == {lv: n for lv in Level if (n := sum(one.level == lv for one in expected))}
        assert counts.by_state == {st: n for st in AlertState if (n := sum(one.state == st for one in expected))}
        spans = state.histogram(scope, wanted, NOON, NOON + 30_000, 6)
        assert [start for start, _ in spans] == [NOON + n * 5000 for n in range(6)]
        assert sum(n for _, levels in spans for n in levels.values()) == len(expected)


def test_reads_and_writes_outside_the_scope_are_none(many):
    state, alerts = many
    scope = SCOPES[1]
    for one in alerts[:50]:
        assert (state.alert(scope, one.id) == one) is scope.sees(one.unit, one.realm)
        if not scope.sees(one.unit, one.realm):
            assert state.set_state(scope, one.id, AlertState.CLOSED, "p", NOON) is None
            assert state.alert(SYSTEM, one.id) == one
    assert all(scope.sees(item.unit, item.realm) for item in state.outbox(scope, 0, 10_000))
    assert len(state.outbox(SCOPES[3], 0, 10_000)) == 0


def test_paging_goes_on_while_alerts_change(state):
    state.commit_tick([delta(f"k{n}", last_seen=NOON + n) for n in range(20)], 1, NOON)
    first = state.alerts(SYSTEM, ALL, "last_seen", 10, None)
    state.commit_tick([delta("k0", last_seen=NOON + 99), delta("new", last_seen=NOON + 98)], 2, NOON)
    second = state.alerts(SYSTEM, ALL, "last_seen", 10, first.cursor)
    assert [one.key for one in first.alerts] == [f"k{n}" for n in range(19, 9, -1)]
    assert [one.key for one in second.alerts] == [f"k{n}" for n in range(9, 0, -1)]


OTHERS = [["level", 1, 2, 3], ["last_seen", "x", 1], ["last_seen", 1], ["last_seen", 1, 10**30], [], [None]]


@pytest.mark.parametrize("cursor", ["", "rubbish", "é", *map(encode_cursor, OTHERS)])
def test_a_cursor_of_another_list_is_refused(state, cursor):
    state.commit_tick([delta()], 1, NOON)
    with pytest.raises(Problem, match="cursor"):
        state.alerts(SYSTEM, ALL, "last_seen", 10, cursor)


def test_twenty_thousand_alerts_list_and_count(url):
    state, rng = State.open(url, migrate=True), random.Random(3)
    for tick in range(2):
        state.commit_tick([made(tick * 10_000 + n, rng) for n in range(10_000)], tick + 1, NOON)
    wanted = AlertFilter(min_level=Level.HIGH, layers=(Layer.DATA,), entity="SYSTEM")
    total = state.counts(SYSTEM, wanted).total
    assert 0 < total < 5000
    assert len(listed(state, wanted=wanted, sort="count", limit=500)) == total
    assert state.counts(SYSTEM, ALL).total == 20_000
    state.close()


def test_the_outbox_lets_go_of_what_is_old_and_never_repeats_a_seq(state):
    state.commit_tick([delta(f"k{n}") for n in range(3)], 1, NOON)
    state.commit_tick([delta("late")], 2, NOON + KEPT_US + DAY)
    assert [(item.seq, item.body["id"]) for item in state.outbox(SYSTEM, 0)] == [(4, 4)]
    assert state.outbox_last() == 4


def test_a_link_works_once_and_only_until_it_expires(state):
    state.make_link("aa", "evaluation", NOON + 10)
    state.make_link("bb", "evaluation", NOON + 10)
    assert not state.link_used_ever()
    assert [state.use_link("cc", NOON), state.use_link("bb", NOON + 10)] == [False, False]
    with ThreadPoolExecutor(8) as threads:
        used = list(threads.map(lambda _: state.use_link("aa", NOON), range(16)))
    assert (used.count(True), state.link_used_ever()) == (1, True)


def test_a_session_lives_until_it_expires_or_is_ended(state):
    one = Session(
        person="ann", roles=frozenset({Role.ANALYST}), units=frozenset({"u1"}), created=NOON, expires=NOON + 9
    )
    state.start_session("aa", one)
    state.start_session("bb", one)
    assert (state.session("aa", NOON), state.session("aa", NOON + 9), state.session("zz", NOON)) == (one, None, None)
    state.end_session("aa")
    assert (state.session("aa", NOON), state.session("bb", NOON)) == (None, one)


def test_two_writers_take_turns(url, state):
    other = State.open(url)
    with ThreadPoolExecutor(2) as threads:
        for each in [
            threads.submit(one.commit_tick, [delta(f"k{n}")], n, NOON) for n in range(1, 30) for one in (state, other)
        ]:
            each.result()
    assert state.cursor() == 29
    assert state.counts(SYSTEM, ALL).total == state.outbox_last()
    other.close()


def test_migrations_make_what_the_tables_say(url, state):
    engine = open_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), state_tables.tables) == []
        assert migration.revision_of(connection) == state_tables.REVISION
    engine.dispose()


def test_opening_again_changes_nothing_and_makes_no_backup(url, state, tmp_path):
    state.commit_tick([delta()], 1, NOON)
    again = State.open(url, migrate=True)
    assert again.cursor() == 1
    again.close()
    assert list(tmp_path.glob("*.before-*")) == []


@pytest.mark.parametrize("migrate", [True, False])
def test_a_database_of_a_newer_program_is_refused(url, state, migrate):
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(Problem, match="9999"):
        State.open(url, migrate=migrate)


def test_what_is_no_state_database_is_refused(url, tmp_path):
    with pytest.raises(Problem, match="is empty"):
        State.open(url)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("CREATE TABLE other(a)")
    connection.close()
    for migrate in (True, False):
        with pytest.raises(Problem, match="is not a fengsui-state database"):
            State.open(url, migrate=migrate)


def test_alerts_from_before_storms_were_counted_have_none(url, state):
    state.commit_tick([delta(count=3)], 1, NOON)
    state.close()
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("ALTER TABLE alert DROP COLUMN storm_count")
        for later in ("rule_state", "rule_decision", "rule_hour", "episode", "correlation_step"):
            connection.execute(f"DROP TABLE {later}")
        connection.execute("UPDATE alembic_version SET version_num = '0004'")
    connection.close()
    again = State.open(url, migrate=True)
    assert (again.alert(SYSTEM, 1).count, again.alert(SYSTEM, 1).storm_count) == (3, 0)
    again.close()


def test_a_due_migration_is_backed_up_first(url, state, tmp_path):
    state.commit_tick([delta()], 7, NOON)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    copy = back_up(url)
    assert copy == tmp_path / f"state.db.before-{state_tables.REVISION}"
    with sqlite3.connect(copy) as kept:
        assert kept.execute("SELECT last FROM sequence WHERE name = 'cursor'").fetchone() == (7,)
    kept.close()
    assert back_up(url) is None, "a copy of before the first try is kept"


def test_alerts_by_rule_agree_with_the_list(many):
    state, alerts = many
    for scope in SCOPES:
        expected: dict[str, tuple[int, int]] = {}
        for one in (one for one in alerts if scope.sees(one.unit, one.realm)):
            count, seen = expected.get(one.rule.id, (0, 0))
            expected[one.rule.id] = (count + 1, max(seen, one.last_seen))
        assert state.rule_alerts(scope) == expected
