"""Rules over HTTP: the list under filters, one rule, states with reasons, and the update that waits."""

from collections.abc import Callable

import msgspec
import pytest
from fastapi.testclient import TestClient

from soc_api.app import create_app
from soc_center.folder import DataFolder
from soc_center.rule_library import RuleLibrary
from soc_center.rule_states import read_states
from soc_center.system import SYSTEM
from soc_model.layer import Realm
from soc_model.right import Role
from soc_model.rule_proof import Canary, ProofReport, RuleProof
from soc_model.rule_state import RuleState
from tests.api.conftest import a_client
from tests.api.rule_world import SSH, list_them, stage_update
from tests.api.world import HOUR_US, World, a_card, a_delta, a_finding, an_event

Client = Callable[..., TestClient]
SECURITY = Role.SECURITY_ADMINISTRATOR


@pytest.fixture(autouse=True)
def listed(world: World) -> None:
    list_them(world)


def ids(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"/api/v1/rules?{query}")
    assert answer.status_code == 200, answer.text
    return [row["rule"]["id"] for row in answer.json()["rules"]]


FILTERS: dict[str, set[str]] = {
    "state=test": {"rule-trial"},
    "state=retired&state=test": {"rule-trial", "rule-idle"},
    "matter=refused": {"rule-refused"},
    "matter=no_source": {"rule-silent"},
    "matter=below&level=low": {"rule-low"},
    "matter=needs": {"rule-own"},
    "origin=ours": {"rule-own"},
    "layer=data": {"rule-own"},
    "product=okta": {"rule-silent"},
    "status=deprecated": {"rule-idle"},
    "text=placeholder": {"rule-refused"},
    "text=encoded+windows": {"rule-trial"},
    "text=nothing-like-it": set(),
    "matter=fired": set(),
}


def test_a_filter_finds_what_it_says(signed_in: Client) -> None:
    client = signed_in(Role.VIEWER)
    assert {query: set(ids(client, query)) for query in FILTERS} == FILTERS


def test_pages_hold_every_rule_once(signed_in: Client) -> None:
    client, cursor, found = signed_in(Role.VIEWER), "", list[str]()
    while cursor is not None:
        page = client.get(f"/api/v1/rules?limit=3&sort=title&cursor={cursor}").json()
        found += [row["rule"]["id"] for row in page["rules"]]
        cursor = page["cursor"]
    assert len(found) == len(set(found)) == page["total"] == 8


def test_what_a_rule_found_is_counted_live_and_by_unit(world: World) -> None:
    world.evaluation = False
    world.administrators()
    client = a_client(create_app(world.services()))
    world.raise_alert(count=5)
    world.raise_alert(count=7, unit="water")
    world.raise_alert(count=100, realm=Realm.DRILL)
    world.now_us += 30 * HOUR_US
    world.raise_alert(count=1)
    client.cookies.set("fengsui", world.session(Role.VIEWER))
    rows = client.get("/api/v1/rules?matter=fired").json()["rules"]
    assert [(row["rule"]["id"], row["found_24h"], row["found_7d"]) for row in rows] == [(SSH, 1, 13)]
    client.cookies.set("fengsui", world.session(Role.VIEWER, units=frozenset({"water"})))
    rows = client.get("/api/v1/rules?matter=fired").json()["rules"]
    assert [(row["found_24h"], row["found_7d"]) for row in rows] == [(0, 7)]


def test_a_rule_on_trial_is_counted_and_raises_no_alert(world: World, signed_in: Client) -> None:
    rule = a_card(id="rule-trial", state=RuleState.TEST)
    world.offset += 1
    delta = a_delta(world.offset, world.now_us, rule=rule, count=4)
    assert world.state.commit_tick([delta], world.offset, world.now_us) == []
    client = signed_in(Role.ANALYST)
    assert client.get("/api/v1/alerts").json()["alerts"] == []
    detail = client.get("/api/v1/rules/rule-trial").json()
    assert detail["row"]["found_24h"] == 4
    assert detail["days"][-1]["findings"] == 4 and len(detail["days"]) == 30


def test_a_state_is_set_with_a_reason_kept_and_handed_to_detection(world: World, signed_in: Client) -> None:
    client = signed_in(SECURITY)
    answer = client.post(f"/api/v1/rules/{SSH}/state", json={"state": "retired", "reason": "too noisy here"})
    assert answer.status_code == 200, answer.text
    row = client.get(f"/api/v1/rules/{SSH}").json()
    assert (row["row"]["state"], row["row"]["waits"]) == ("retired", True)
    assert [(each["after"], each["reason"]) for each in row["decisions"]] == [("retired", "too noisy here")]
    assert read_states(RuleLibrary(DataFolder(world.folder).rule_library)) == {SSH: RuleState.RETIRED}
    assert world.acts()[-1] == "rule.state"
    again = client.post(f"/api/v1/rules/{SSH}/state", json={"state": "retired", "reason": "again"})
    assert again.json() is None and world.acts().count("rule.state") == 1


def test_a_rule_that_goes_back_to_its_first_state_needs_no_row(world: World, signed_in: Client) -> None:
    client = signed_in(SECURITY)
    for state in ("draft", "active"):
        assert client.post(f"/api/v1/rules/{SSH}/state", json={"state": state, "reason": "x"}).status_code == 200
    assert world.state.rules.states() == {}
    assert read_states(RuleLibrary(DataFolder(world.folder).rule_library)) == {}


WRONG: list[tuple[str, dict[str, object], int]] = [
    (f"{SSH}/state", {"state": "retired"}, 422),
    (f"{SSH}/state", {"state": "retired", "reason": "  "}, 400),
    (f"{SSH}/state", {"state": "gone", "reason": "x"}, 422),
    ("no-such-rule/state", {"state": "retired", "reason": "x"}, 404),
    ("library/confirm", {"version": 7, "sha256": "0" * 64}, 400),
    ("library/refuse", {"version": 7, "sha256": "0" * 64}, 400),
    ("library/back", {}, 400),
    ("library/back", {"version": 3}, 400),
]


def test_what_cannot_be_done_changes_nothing(world: World, signed_in: Client) -> None:
    client, before = signed_in(SECURITY), world.acts()
    found = [client.post(f"/api/v1/rules/{path}", json=body).status_code for path, body, _ in WRONG]
    assert found == [status for _, _, status in WRONG]
    assert world.acts() == before and world.state.rules.states() == {}


def test_what_was_looked_at_is_what_is_confirmed(world: World, signed_in: Client) -> None:
    client = signed_in(SECURITY)
    seen = stage_update(world.folder).version
    other = stage_update(world.folder, b"others").version
    body = {"version": seen.version, "sha256": seen.sha256}
    assert client.post("/api/v1/rules/library/confirm", json=body).status_code == 400
    assert client.post("/api/v1/rules/library/confirm", json=body | {"version": other.version}).status_code == 400
    body = {"version": other.version, "sha256": other.sha256}
    assert client.post("/api/v1/rules/library/confirm", json=body).status_code == 200
    library = client.get("/api/v1/rules/library").json()
    assert (library["active"], library["pending"]) == (other.version, None)
    assert library["activations"][0]["by"] == "tester"
    assert client.post("/api/v1/rules/library/back", json={}).json()["active"] == 0
    assert world.acts()[-2:] == ["rules.confirmed", "rules.back"]


def test_the_pages_do_the_same_for_the_security_administrator_alone(world: World, signed_in: Client) -> None:
    waiting = stage_update(world.folder).version
    form = {"version": str(waiting.version), "sha256": waiting.sha256}
    analyst = signed_in(Role.ANALYST)
    assert "Confirm: let it run" not in analyst.get("/rules/library").text
    assert analyst.post("/rules/library/confirm", data=form).status_code == 403
    client = signed_in(SECURITY)
    assert "Confirm: let it run" in client.get("/rules/library").text
    assert client.post("/rules/library/confirm", data=form, follow_redirects=False).status_code == 303
    assert client.post("/rules/library/back", data={"version": "0"}, follow_redirects=False).status_code == 303
    assert client.post("/rules/library/refuse", data={"version": "1"}).status_code == 400
    done = client.post(f"/rules/{SSH}/state", data={"state": "test", "reason": "try"}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, f"/rules/{SSH}")
    assert "On trial" in client.get(f"/rules/{SSH}").text
    assert "Say why" in client.post(f"/rules/{SSH}/state", data={"state": "active"}).text


def test_pages_draw_hostile_rules_as_text(world: World, signed_in: Client) -> None:
    stage_update(world.folder)
    client = signed_in(*Role)
    for language in ("en", "zh-CN"):
        client.cookies.set("language", language)
        for path in ("", "/rows?sort=title", "/rule-hostile", "/rule-refused", "/library"):
            answer = client.get(f"/rules{path}")
            assert answer.status_code == 200, (path, answer.text[:2000])
            assert "<script>alert" not in answer.text and "onerror=alert(3)>" not in answer.text


def test_the_findings_of_a_rule_come_by_themselves(world: World, signed_in: Client) -> None:
    alert = world.state.alert(SYSTEM, world.raise_alert())
    assert alert is not None
    world.findings = [a_finding(alert, an_event(1, world.now_us))]
    client = signed_in(Role.ANALYST)
    assert f'hx-get="/rules/{SSH}/findings"' in client.get(f"/rules/{SSH}").text
    assert "Failed password for root" in client.get(f"/rules/{SSH}/findings").text
    assert "no longer kept" in client.get("/rules/rule-own/findings").text
    assert signed_in(Role.SYSTEM_ADMINISTRATOR).get(f"/rules/{SSH}/findings").status_code == 403


def test_an_english_title_in_the_chinese_console_is_marked(signed_in: Client) -> None:
    client = signed_in(Role.VIEWER)
    client.cookies.set("language", "zh-CN")
    page = client.get("/rules").text
    assert "SSH 口令暴力破解" in page
    assert 'Encoded PowerShell <span class="untranslated"' in page
    client.cookies.set("language", "en")
    assert "untranslated" not in client.get("/rules").text


def test_without_a_catalogue_the_pages_say_so(world: World, signed_in: Client) -> None:
    DataFolder(world.folder).rule_catalogue.unlink()
    client = signed_in(Role.VIEWER)
    assert "No rules have been read yet" in client.get("/rules").text
    assert client.get("/rules/x").status_code == 404
    assert client.get("/api/v1/rules").json() == {"rules": [], "total": 0, "cursor": None}


def test_a_rule_shows_its_self_proof(world: World, signed_in: Client) -> None:
    proof = RuleProof(rule_id=SSH, live=True, seen=7, missing=("CommandLine",), canary=Canary.SILENT)
    report = ProofReport(at=1, hours=24, proofs=[proof])
    before = signed_in().get(f"/rules/{SSH}").text
    DataFolder(world.folder).rule_proofs.write_bytes(msgspec.json.encode(report))
    after = signed_in().get(f"/rules/{SSH}").text
    assert "Not proved yet" in before
    assert "<code>CommandLine</code>" in after
    assert "nothing came of it" in after
