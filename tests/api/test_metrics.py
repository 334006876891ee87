"""/metrics: the text format, who may read it, and that it says what the center says elsewhere."""

import re
from collections.abc import Callable

import msgspec
import pytest
from starlette.testclient import TestClient

from soc_api.access import digest
from soc_api.app import create_app
from soc_api.exposition import Family, Sample, exposition
from soc_api.metrics import center_families, source_families
from soc_api.services import Reader, Scraper
from soc_model.layer import Realm
from soc_model.right import Right, Role
from soc_model.scope import Scope
from tests.api.conftest import NOW, ORIGIN
from tests.api.world import World, a_health, seed

TOKEN = "t" * 43
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)')


def samples(text: str) -> dict[tuple[str, str], float]:
    """Every sample of a page by name and labels; fails on a line that the format does not know."""
    assert text.endswith("\n")
    found = {}
    for line in text[:-1].split("\n"):
        if not re.match(r"# (HELP|TYPE) [a-z_]+ .+", line):
            match = SAMPLE.fullmatch(line)
            assert match, line
            found[match[1], match[2] or ""] = float(match[3])
    return found


def scrape(world: World, header: str, *, host: str = "127.0.0.1", given: bool = True) -> "tuple[int, str]":
    reader = Reader(scope=Scope(units=None, realms=frozenset(Realm)), rights=frozenset(Right))
    scraper = Scraper(token_sha256=digest(TOKEN), reader=reader) if given else None
    client = TestClient(create_app(world.services(scraper=scraper)), base_url=ORIGIN, client=(host, 1))
    answer = client.get("/metrics", headers={"Authorization": header.encode()}, follow_redirects=False)
    return answer.status_code, answer.text


def test_a_token_from_this_machine_reads_everything(world: World) -> None:
    seed(world, 20)
    status, text = scrape(world, f"Bearer {TOKEN}")
    found = samples(text)
    assert status == 200
    assert found["fengsui_lag_batches", 'stage="outcomes"'] == 3
    assert found["fengsui_process_up", 'process="detect"'] == 1
    water = 'source="fw-core",layer="network",unit="water",realm="live"'
    assert found["fengsui_source_overload_total", f'{water},kind="torn"'] == 2
    assert found["fengsui_source_overload_total", f'{water},kind="refused"'] == 0
    assert sum(n for (name, _), n in found.items() if name == "fengsui_alerts_open") == 20


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", f"bearer {TOKEN}x", "Bearer é"])
def test_another_token_reads_nothing(world: World, header: str) -> None:
    status, text = scrape(world, header)
    assert (status, "fengsui_" in text) == (401, False)


@pytest.mark.parametrize("host", ["10.0.0.9", "testclient"])
def test_the_token_is_worth_nothing_from_elsewhere(world: World, host: str) -> None:
    assert scrape(world, f"Bearer {TOKEN}", host=host)[0] == 401


def test_without_a_token_of_the_center_no_token_is_right(world: World) -> None:
    assert scrape(world, "Bearer ", given=False)[0] == 401
    assert scrape(world, f"Bearer {TOKEN}", given=False)[0] == 401


def test_a_cookie_does_not_help_a_wrong_token(signed_in: Callable[..., TestClient]) -> None:
    assert signed_in().get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize(
    ("role", "sources", "alerts"),
    [
        (Role.AUDIT_ADMINISTRATOR, False, False),
        (Role.SYSTEM_ADMINISTRATOR, True, False),
        (Role.SECURITY_ADMINISTRATOR, True, True),
        (Role.ANALYST, True, True),
    ],
)
def test_a_session_reads_what_its_rights_say(
    signed_in: Callable[..., TestClient], role: Role, sources: bool, alerts: bool
) -> None:
    answer = signed_in(role).get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {name for name, _ in samples(answer.text)}
    assert "fengsui_process_up" in names
    assert ("fengsui_source_events_total" in names, "fengsui_alerts_open" in names) == (sources, alerts)


def test_a_session_reads_its_units_only(world: World, signed_in: Callable[..., TestClient]) -> None:
    seed(world, 20)
    text = signed_in(Role.ANALYST, units=frozenset({"water"})).get("/metrics").text
    assert 'source="fw-core"' in text
    assert 'source="host-web"' not in text
    assert sum(n for (name, _), n in samples(text).items() if name == "fengsui_alerts_open") == 0


def test_label_values_cannot_end_their_line() -> None:
    hostile = 'a"} 1\nfengsui_process_up{process="x\\'
    text = exposition([Family("fengsui_x", "gauge", "a\nb\\c", [Sample({"source": hostile + "\r\ud800"}, 1)])]).decode()
    assert text.count("\n") == 3
    ((name, labels),) = samples(text)
    assert name == "fengsui_x"
    assert labels.startswith(r'source="a\"} 1\nfengsui_process_up{process=\"x\\')


def test_caches_and_rules_are_counted_by_name() -> None:
    caches = {"values": {"hits": 90, "misses": 10, "evicted": 3}}
    found = {"rule-1": {"findings": 250, "storm_findings": 150}}
    health = msgspec.structs.replace(a_health(NOW), caches=caches, found=found)
    text = samples(exposition(center_families(health, NOW, "1")).decode())
    assert [text[f"fengsui_cache_{n}_total", 'cache="values"'] for n in ("hits", "misses", "evicted")] == [90, 10, 3]
    assert text["fengsui_rule_findings_total", 'rule="rule-1"'] == 250
    assert text["fengsui_rule_storm_findings_total", 'rule="rule-1"'] == 150


def test_every_family_stands_once_and_is_described(world: World) -> None:
    families = [*center_families(a_health(NOW), NOW, "0.1.0"), *source_families(world.reports)]
    assert len({family.name for family in families}) == len(families)
    assert all(family.help.endswith(".") for family in families)
    assert all((family.kind == "counter") == family.name.endswith("_total") for family in families)


def test_a_process_that_is_silent_is_not_up() -> None:
    health = a_health(NOW)
    dead = msgspec.structs.replace(health.processes[0], pid=None)
    health = msgspec.structs.replace(health, processes=[dead, *health.processes[1:]])
    late = exposition(center_families(health, NOW, "1")).decode()
    later = exposition(center_families(health, NOW + 60_000_000, "1")).decode()
    assert 'fengsui_process_up{process="collect"} 0' in late
    assert 'fengsui_process_up{process="detect"} 1' in late
    assert 'fengsui_process_up{process="detect"} 0' in later
