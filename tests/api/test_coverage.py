"""ATT&CK coverage as API, as layer and as page: what the person may see counts, and hostile titles stay text."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from soc_model.layer import Realm
from soc_model.right import Role
from soc_model.rule_entry import Standing
from soc_model.scope import Scope
from soc_store.state import AlertFilter
from tests.api.rule_world import a_rule, list_them
from tests.api.test_console_pages import Elements
from tests.api.world import HOSTILE, World, seed

SignIn = Callable[..., TestClient]
ANYWHERE = Scope(units=None, realms=frozenset(Realm))


@pytest.fixture
def covered(world: World) -> World:
    """A seeded center: one rule fired, one is fed, one has no source, one does not run."""
    seed(world, 20)
    fired = world.state.alerts(ANYWHERE, AlertFilter(), "last_seen", 1, None).alerts[0].rule.id
    rules = [
        a_rule(fired, title=HOSTILE, techniques=("attack.t1059.001",)),
        a_rule("fed", techniques=("attack.t1110",)),
        a_rule("dry", techniques=("attack.t1485", "attack.t9999"), no_source=True),
        a_rule("off", techniques=("attack.t1486",), standing=Standing.IDLE),
    ]
    list_them(world, rules)
    return world


def test_techniques_stand_where_their_rules_stand(covered: World, signed_in: SignIn) -> None:
    body = signed_in(Role.COMPLIANCE_OFFICER).get("/api/v1/coverage").json()
    rows = {one["id"]: (one["rules"], one["live"], one["fired"]) for one in body["techniques"] if one["rules"]}
    assert rows == {"T1059": (1, 1, 1), "T1059.001": (1, 1, 1), "T1110": (1, 1, 0), "T1485": (1, 0, 0)}
    assert body["unknown"] == {"T9999": 1}


def test_the_layer_is_a_file_for_navigator(covered: World, signed_in: SignIn) -> None:
    answer = signed_in().get("/api/v1/coverage/navigator")
    assert "attachment" in answer.headers["content-disposition"]
    scores = {one["techniqueID"]: one["score"] for one in answer.json()["techniques"]}
    assert scores == {"T1059": 3, "T1059.001": 3, "T1110": 2, "T1485": 1}


def test_the_matrix_counts_states_and_titles_stay_text(covered: World, signed_in: SignIn) -> None:
    html = signed_in().get("/coverage?technique=T1059.001&sub=true").text
    assert 'class="cover cover-fired chosen"' in html
    assert html.count("cover cover-present") == 2  # the legend's and T1485's
    for tag, attributes in Elements(html).found:
        assert tag != "script" or attributes["src"].startswith("/static/")  # type: ignore[union-attr]
        assert "style" not in attributes
    assert "\u202e" not in html


@pytest.mark.parametrize("path", ["/coverage", "/api/v1/coverage", "/api/v1/coverage/navigator", "/rules/test"])
def test_the_audit_administrator_sees_neither(covered: World, signed_in: SignIn, path: str) -> None:
    assert signed_in(Role.AUDIT_ADMINISTRATOR).get(path).status_code == 403
