"""What people decided of rules, what rules found by the hour, and the catalogue that detection leaves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soc_model.alert import AlertDelta
from soc_model.audit import AuditFilter
from soc_model.layer import Realm
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.rule_entry import CatalogueHead
from soc_model.rule_state import RuleOrigin, RuleState, first_state
from soc_model.scope import Scope
from soc_store.leftovers import Leftover
from soc_store.rule_catalogue import RuleCatalogue, make_catalogue
from soc_store.rule_hours import HOUR_US
from soc_store.state import AlertFilter, State
from tests.api.rule_world import a_rule
from tests.api.world import a_card, a_delta
from tests.store.making import NOON, SYSTEM

ANN = Actor(name="ann", address="terminal")
ACTIVE, TEST, RETIRED = RuleState.ACTIVE, RuleState.TEST, RuleState.RETIRED


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State.open(f"sqlite:///{tmp_path / 'state.db'}", migrate=True)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("origin", "status", "state"),
    [
        *((RuleOrigin.IMPORTED, status, ACTIVE) for status in ("stable", "test", "", "anything")),
        (RuleOrigin.IMPORTED, "experimental", TEST),
        (RuleOrigin.IMPORTED, "deprecated", RETIRED),
        (RuleOrigin.IMPORTED, "unsupported", RETIRED),
        *((origin, "experimental", ACTIVE) for origin in (RuleOrigin.OURS, RuleOrigin.SITE)),
    ],
)
def test_what_a_rule_begins_in(origin: RuleOrigin, status: str, state: RuleState) -> None:
    assert first_state(origin, status) is state


def test_a_decision_is_kept_with_its_reason_and_audited(state: State) -> None:
    done = state.rules.decide("r", RETIRED, " noisy ", first=ACTIVE, actor=ANN, now=NOON)
    assert done is not None and (done.before, done.after, done.reason) == (ACTIVE, RETIRED, "noisy")
    assert state.rules.decide("r", RETIRED, "again", first=ACTIVE, actor=ANN, now=NOON) is None
    state.rules.decide("r", ACTIVE, "better now", first=ACTIVE, actor=ANN, now=NOON + 1)
    assert state.rules.states() == {}
    assert [each.reason for each in state.rules.decisions("r")] == ["better now", "noisy"]
    [latest, _] = state.audit.entries(AuditFilter())
    assert (latest.act.value, latest.subject, latest.address) == ("rule.state", "rule r", "terminal")
    assert latest.detail == {"before": "retired", "after": "active", "why": "better now"}
    for reason in ("", " \n", "x" * 501):
        with pytest.raises(Problem, match="reason"):
            state.rules.decide("r", TEST, reason, first=ACTIVE, actor=ANN, now=NOON)


def tick(state: State, offset: int, now: int, *deltas: AlertDelta) -> list[int]:
    return state.commit_tick(deltas, offset, now)


def test_findings_are_counted_by_the_hour_once_and_within_the_scope(state: State) -> None:
    one, two = a_delta(1, NOON, count=3, unit="a"), a_delta(2, NOON, count=4, unit="b", realm=Realm.DRILL)
    tick(state, 2, NOON, one, two)
    tick(state, 2, NOON, one, two)  # read again: the cursor is not above
    tick(state, 3, NOON + HOUR_US, a_delta(3, NOON, count=5, unit="a"))
    rule = one.rule.id
    assert state.rule_hours.found(SYSTEM, NOON) == {rule: 12}
    assert state.rule_hours.found(SYSTEM, NOON + HOUR_US) == {rule: 5}
    narrow = Scope(units=frozenset({"a"}), realms=frozenset({Realm.LIVE}))
    hours = state.rule_hours.hours(narrow, rule, NOON)
    assert [(each.findings, each.first_offset, each.last_offset) for each in hours] == [(3, 1, 1), (5, 3, 3)]
    assert state.rule_hours.found(Scope(units=frozenset(), realms=frozenset(Realm)), 0) == {}


def test_a_rule_in_test_raises_nothing_while_others_of_the_tick_do(state: State) -> None:
    tried = a_delta(1, NOON, rule=a_card(id="tried", state=TEST), count=9)
    assert len(tick(state, 1, NOON, tried, a_delta(2, NOON))) == 1
    assert state.rule_hours.found(SYSTEM, 0)["tried"] == 9
    assert [alert.rule.id for alert in state.alerts(SYSTEM, AlertFilter()).alerts] == [a_card().id]


def test_old_hours_are_let_go_of(state: State) -> None:
    for number in range(3):
        tick(state, number + 1, NOON + number * HOUR_US, a_delta(number + 1, NOON))
    assert state.drop_leftovers(Leftover.RULE_HOURS, NOON + 2 * HOUR_US - NOON % HOUR_US, 500) == 2
    assert sum(state.rule_hours.found(SYSTEM, 0).values()) == 1


def test_a_catalogue_is_followed_when_it_is_replaced(tmp_path: Path) -> None:
    path, catalogue = tmp_path / "rules.db", RuleCatalogue(tmp_path / "rules.db")
    assert (catalogue.head(), catalogue.entries(), catalogue.whole("r")) == (None, [], None)
    for number in (1, 2):
        head = CatalogueHead(snapshot=str(number), made=number)
        make_catalogue(tmp_path / "made", head, [a_rule("r", title=f"Title {number}"), a_rule("s\udcff")])
        (tmp_path / "made").replace(path)
        assert catalogue.head() == head
        assert catalogue.entries()[0].title == f"Title {number}"
        found = catalogue.whole("r")
        assert found is not None and found.entry.title == f"Title {number}" and found.card is not None
    assert catalogue.whole("none") is None


@pytest.mark.parametrize("content", [b"not a database, but longer than a header of one would be" * 3, b""])
def test_what_is_no_catalogue_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rules.db").write_bytes(content)
    with pytest.raises(Problem, match=r"rules\.db"):
        RuleCatalogue(tmp_path / "rules.db").entries()
