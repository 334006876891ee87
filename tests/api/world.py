"""A small center for tests: the real state store, searches that answer from lists, a clock that stands still."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pyotp
from argon2 import PasswordHasher

from risk_assessment.fold import fold, spoken_of
from risk_assessment.room import Room
from soc_api.job_services import JobServices
from soc_api.one_time_code import STEP_US, recovery_digest, secret_of
from soc_api.services import Health, ProcessHealth, Services
from soc_center.folder import DataFolder
from soc_center.rule_acts import rule_services
from soc_model.alert import Alert, AlertDelta
from soc_model.audit import AuditFilter
from soc_model.event import COLUMNS
from soc_model.finding import Finding, RuleCard
from soc_model.indicator import Feed, Indicator, IndicatorKind
from soc_model.job import Job
from soc_model.layer import Layer, Level, Realm
from soc_model.person import ApiKey, Enrolment, Person
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, KEY_RIGHTS, Right, Role, rights_of
from soc_model.scope import Scope
from soc_model.session import Session
from soc_model.sighting import EntityKind, Relation, Sighting
from soc_model.source import Source, Trust
from soc_store.asset_query import FoldCursor
from soc_store.assets import Assets
from soc_store.manifest import Partition
from soc_store.people import CENTER
from soc_store.search import EventPage, EventQuery, FindingPage, FindingQuery
from soc_store.secret_box import SecretBox
from soc_store.source_report import SourceReport
from soc_store.state import State

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
HOSTILE = (
    "<script>alert(1)</script> javascript:alert(2) \u202egpj.exe\u202c \x1b[31mred\x07 \"'><img src=x onerror=alert(3)>"
)
LINK = "a-setup-token-for-tests"
PASSWORD = "beacons on nine towers"
BOX = SecretBox(b"k" * 32)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@cache
def _hashed(password: str) -> str:
    """Hashed weakly, for speed; the hash says so itself and is checked all the same."""
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(password)


@dataclass(slots=True)
class World:
    """The services of a small center, and handles to move it."""

    state: State
    assets: Assets
    now_us: int
    folder: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    reports: list[SourceReport] = field(default_factory=list)
    reloads: list[str] = field(default_factory=list)
    bell: asyncio.Event | None = None
    loop: asyncio.AbstractEventLoop | None = None
    offset: int = 0
    evaluation: bool = True
    woken: list[str] = field(default_factory=list)
    keys: int = 0
    indicators: "FakeIndicators" = field(default_factory=lambda: FakeIndicators())  # noqa: PLW0108 - it is defined below

    def now(self) -> int:
        return self.now_us

    def services(self, **changes: Any) -> Services:
        """What the app is given."""
        given: dict[str, Any] = {
            "state": self.state,
            "jobs": self.job_services(),
            "rules": rule_services(DataFolder(self.folder), self.state),
            "indicators": self.indicators,
            "assets": self.assets,
            "search_events": self._search_events,
            "search_findings": self._search_findings,
            "sources": lambda scope: [each for each in self.reports if self._seen(scope, each.source_id)],
            "source_settings": lambda: self.sources,
            "health": lambda: a_health(self.now_us),
            "reload_rules": self.reloads.append,
            "wait_for_outbox": self._wait,
            "now": self.now,
            "box": BOX,
            "evaluation": self.evaluation,
            "version": "0.1.0",
            "hosts": ("127.0.0.1", "localhost", "[::1]"),
            "secure_cookie": False,
            "name": "示范市安全管理中心",
            "units": {"bureau-data": "市大数据局", "water": "市水务集团", "transport": "市交通局"},
        }
        return Services(**given | changes)

    def job_services(self) -> JobServices:
        """Jobs over the real store, with two kinds; who was woken is kept."""
        return JobServices(
            store=self.state.jobs,
            schedules=self.state.schedules,
            kinds=lambda: ["compact", "test_rule", "tidy"],
            ask=self._ask_for_job,
            cancel=lambda job_id, person: self.state.jobs.request_cancel(job_id, self.now_us, person),
            schedule_changed=lambda: self.woken.append("schedule"),
        )

    def _ask_for_job(self, kind: str, params: Mapping[str, Any], person: str, *, unless_waiting: bool) -> Job:
        if kind not in ("compact", "test_rule", "tidy"):
            raise Problem("kind", f"there is no kind of job {kind!r}")
        self.woken.append("work")
        return self.state.jobs.enqueue(kind, params, person, self.now_us, unless_waiting=unless_waiting)

    def raise_alert(self, **changes: Any) -> int:
        """Commit one tick with one delta; gives back the alert's id."""
        self.offset += 1
        delta = a_delta(self.offset, self.now_us, **changes)
        (changed,) = self.state.commit_tick([delta], self.offset, self.now_us)
        if self.bell is not None and self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.bell.set)
        return changed

    def sight(self, *sightings: Sighting) -> None:
        """Fold sightings into assets, as the job does."""
        place = Partition(Realm.LIVE, Layer.HOST, "2025-11-23")
        after = self.assets.folded(place.realm)[1].get(place, FoldCursor())
        changes = fold(sightings, self.assets.known(*spoken_of(sightings)), Room({}))
        self.assets.commit_fold(changes, place, FoldCursor(offset=after.offset + 1), after)

    def link(self, token: str = LINK) -> None:
        self.state.make_link(hashlib.sha256(token.encode()).hexdigest(), "sign-in", self.now_us + 15 * MINUTE_US)

    def open_up(self) -> None:
        """As after the first sign-in: the gate is open."""
        self.link("first")
        assert self.state.use_link(hashlib.sha256(b"first").hexdigest(), self.now_us)

    def session(self, *roles: Role, units: frozenset[str] | None = None, token: str = "") -> str:
        """The cookie value of a new session with these roles."""
        token = token or f"token-{'-'.join(roles)}-{units}"
        self.state.end_session(hashlib.sha256(token.encode()).hexdigest())
        made = Session(
            person="tester",
            roles=frozenset(roles),
            units=units,
            created=self.now_us,
            expires=self.now_us + 12 * HOUR_US,
        )
        self.state.start_session(hashlib.sha256(token.encode()).hexdigest(), made)
        return token

    def person(self, name: str, *roles: Role, password: str = PASSWORD, recovery: str = "") -> Person:
        """Somebody who is set up: their secret is ``SECRET``, their recovery code is ``recovery``, if any."""
        made = self.state.people.make(name, frozenset(roles), CENTER, self.now_us)
        link, cookie = hashlib.sha256(f"link {name}".encode()).hexdigest(), hashlib.sha256(name.encode()).hexdigest()
        self.state.people.invite(made.id, link, self.now_us + 15 * MINUTE_US, CENTER, self.now_us)
        chosen = Enrolment(
            person_id=made.id,
            name=name,
            password=_hashed(password),
            totp_secret=BOX.seal(SECRET, secret_of(made.id)),
            expires=self.now_us + MINUTE_US,
        )
        assert self.state.enrolments.begin(link, cookie, chosen, "", self.now_us)
        code = recovery_digest(made.id, recovery) or hashlib.sha256(b"none").hexdigest()
        done = self.state.enrolments.complete(cookie, 0, [code], "", self.now_us)
        assert done is not None
        return done

    def administrators(self) -> None:
        """One of each separated administrator, named after the role: a center that is set up for real."""
        for role in sorted(ADMINISTRATORS):
            self.person(role.value.partition("_")[0], role)

    def code(self, step: int = 0) -> str:
        """The one-time code of now, or of so many steps from now."""
        return pyotp.TOTP(SECRET).generate_otp(self.now_us // STEP_US + step)

    def key(self, role: Role, units: frozenset[str] | None = None, days: int = 90) -> str:
        """A new key."""
        self.keys += 1
        token = f"fsk_{self.keys}-{role}"
        wanted = ApiKey(
            id=0,
            name="tests",
            prefix=token[:12],
            role=role,
            units=units,
            created=0,
            created_by="",
            expires=self.now_us + days * 24 * HOUR_US,
        )
        self.state.keys.make(hashlib.sha256(token.encode()).hexdigest(), wanted, CENTER, self.now_us)
        return token

    def key_rights(self, role: Role) -> frozenset[Right]:
        return rights_of({role}) & KEY_RIGHTS

    def acts(self) -> list[str]:
        """The acts of the audit record, oldest first."""
        return [entry.act.value for entry in reversed(self.state.audit.entries(AuditFilter(limit=500)))]

    def _seen(self, scope: Scope, source_id: str) -> bool:
        return any(each.id == source_id and scope.sees(each.unit, each.realm) for each in self.sources)

    async def _wait(self) -> None:
        if self.bell is None or self.loop is not asyncio.get_running_loop():
            self.bell, self.loop = asyncio.Event(), asyncio.get_running_loop()
        await self.bell.wait()
        self.bell.clear()

    async def _search_events(self, scope: Scope, query: EventQuery) -> EventPage:
        if "(" in query.text and ")" not in query.text:
            raise Problem(f"query:{query.text.index('(') + 1}", "this bracket is never closed")
        found = [row for row in self.events if _matches(row, scope, query)]
        start = int(query.cursor or 0)
        end = start + query.limit
        return EventPage(
            rows=found[start:end], cursor=str(end) if len(found) > end else None, scanned_rows=len(self.events)
        )

    async def _search_findings(self, scope: Scope, query: FindingQuery) -> FindingPage:
        asked = (each for each in self.findings if query.key in ("", each.key) and query.rule_id in ("", each.rule_id))
        found = [each for each in asked if scope.sees(each.unit, each.realm)]
        start = int(query.cursor or 0)
        end = start + query.limit
        return FindingPage(findings=found[start:end], cursor=str(end) if len(found) > end else None)


def _matches(row: dict[str, Any], scope: Scope, query: EventQuery) -> bool:
    word = query.text.lower().rpartition(":")[2].strip('"')
    return (
        scope.sees(row["unit"], Realm(row["realm"]))
        and (not query.event_ids or row["event_id"] in query.event_ids)
        and (not query.layers or row["layer"] in query.layers)
        and (not query.realms or row["realm"] in query.realms)
        and (not query.source_ids or row["source_id"] in query.source_ids)
        and (query.since is None or row["@timestamp"] >= query.since)
        and (query.until is None or row["@timestamp"] < query.until)
        and word in row["raw"].lower()
    )


def a_card(**changes: Any) -> RuleCard:
    """A rule."""
    given: dict[str, Any] = {
        "id": "8f0a2c1e-0b8e-4a3e-9b1e-1c2d3e4f5a6b",
        "title": "Brute force against SSH",
        "title_zh": "SSH 口令暴力破解",
        "level": Level.HIGH,
        "tags": ("attack.credential_access", "attack.t1110.001"),
        "description": "Many failed SSH logins from one address.",
        "falsepositives": ("A forgotten password in a script",),
        "references": ("https://attack.mitre.org/techniques/T1110/001/",),
        "author": "The fengsui authors",
        "status": "stable",
        "content_sha256": "ab" * 32,
        "path": "detection_rules/rules/host/ssh_brute_force.yml",
    }
    return RuleCard(**given | changes)


def a_delta(offset: int, now: int, *, rule: RuleCard | None = None, **changes: Any) -> AlertDelta:
    """What one finding adds to an alert."""
    rule = rule or a_card()
    given: dict[str, Any] = {
        "key": f"key-{offset}",
        "rule": rule,
        "group": {"host.name": "web-01"},
        "level": rule.level,
        "layer": Layer.HOST,
        "unit": "bureau-data",
        "realm": Realm.LIVE,
        "source_id": "host-web",
        "count": 1,
        "first_seen": now - MINUTE_US,
        "last_seen": now,
        "first_offset": offset,
        "last_offset": offset,
        "entities": {"host.name": ["web-01"], "source.ip": ["203.0.113.7"]},
        "matched": {"message": "Failed password for root"},
        "sample_event_id": "",
    }
    return AlertDelta(**given | changes)


def an_event(number: int, at: int, **changes: Any) -> dict[str, Any]:
    """One archive row."""
    given: dict[str, Any] = dict.fromkeys(COLUMNS)
    given |= {
        "event_id": f"{number:032x}",
        "@timestamp": at,
        "received": at + 40_000,
        "layer": "host",
        "unit": "bureau-data",
        "realm": "live",
        "source_id": "host-web",
        "dataset": "syslog.rfc5424",
        "product": "linux",
        "service": "sshd",
        "host.name": "web-01",
        "user.name": "root",
        "source.ip": "203.0.113.7",
        "message": "Failed password for root from 203.0.113.7 port 40022 ssh2",
        "decoder": "syslog@1",
        "offset": number,
        "chunk": 0,
        "byte": 0,
        "raw": "<38>1 2025-11-23T10:00:00Z web-01 sshd - - - Failed password for root from 203.0.113.7 port 40022 ssh2",
    }
    given |= changes
    given["raw_bytes"] = len(given["raw"].encode("utf-8", "replace"))
    return given


def a_sighting(kind: str, value: str, now: int, link: tuple[str, str, str] | None = None, **changes: Any) -> Sighting:
    """What a source saw; ``link`` is a relation, and the kind and value of its other end."""
    given: dict[str, Any] = {"unit": "bureau-data", "realm": Realm.LIVE, "layer": Layer.HOST, "source_id": "host-web"}
    given |= {"first": now - HOUR_US, "last": now, "count": 1}
    if link is not None:
        given |= {"relation": Relation(link[0]), "kind2": EntityKind(link[1]), "value2": link[2]}
    return Sighting(kind=EntityKind(kind), value=value, **given | changes)


def a_finding(alert: Alert, event: dict[str, Any]) -> Finding:
    """The finding that ties an event to an alert."""
    return Finding(
        finding_id=f"f{event['event_id'][1:]}",
        rule_id=alert.rule.id,
        event_id=event["event_id"],
        key=alert.key,
        group=alert.group,
        level=alert.level,
        layer=alert.layer,
        unit=alert.unit,
        realm=alert.realm,
        source_id=event["source_id"],
        at=event["@timestamp"],
        received=event["received"],
        offset=alert.first_offset,
        entities={name: event[name] for name in ("host.name", "user.name", "source.ip") if event[name]},
        matched=alert.matched,
    )


def a_health(now: int) -> Health:
    """A center in which all is well but detection is three batches behind."""
    gauges: dict[str, dict[str, int | float | str]] = {
        "collect": {"queue_bytes": 0},
        "detect": {"workers": 2, "events_per_s": 11840},
        "triage": {"cursor": 4118},
        "archiver": {"segments": 31},
        "serve": {},
    }
    memory = {
        "collect": 48_200_000,
        "detect": 143_000_000,
        "triage": 52_000_000,
        "archiver": 61_000_000,
        "serve": 88_000_000,
    }
    return Health(
        processes=[
            ProcessHealth(
                name=name, pid=4000 + at, last_seen=now, started=now - HOUR_US, memory_bytes=memory[name], gauges=values
            )
            for at, (name, values) in enumerate(gauges.items())
        ],
        journal_offset=4121,
        outcome_offset=4118,
        triage_offset=4118,
        archive_offset=4010,
        overload={"dropped": 0, "evicted": 0},
        rules=2407,
        rules_refused=12,
        snapshot="5eed" * 8,
        reload_result="failed",
        reload_problem="rules/y.zip: not a <b>readable</b> zip archive",
        reload_at=now - HOUR_US,
        reference="fade" * 8,
        reference_problem="zones.yml:3: networks: not a network <i>",
        refusals=["rules/x.yml:3: YAML: <script>alert(1)</script>"],
        disk_used_bytes=3_400_000_000,
        disk_free_bytes=210_000_000_000,
    )


def make_world(folder: Path, now: int | None = None) -> World:
    """An empty center with three sources, one of them losing, one of a drill."""
    now = now or time.time_ns() // 1000
    url = f"sqlite:///{folder / 'state.db'}"
    world = World(state=State.open(url, migrate=True), assets=Assets.open(url), now_us=now, folder=folder)
    world.sources = [
        Source(
            id="host-web",
            name="政务云主机日志",
            transport="file",
            format="syslog",
            layer=Layer.HOST,
            unit="bureau-data",
        ),
        Source(
            id="fw-core",
            name="核心防火墙",
            transport="http",
            format="json",
            layer=Layer.NETWORK,
            unit="water",
            trust=Trust.KEY,
            key_sha256="cd" * 32,
        ),
        Source(
            id="drill-ad",
            name="攻防演练域控",
            transport="http",
            format="windows",
            layer=Layer.HOST,
            unit="transport",
            realm=Realm.DRILL,
            trust=Trust.KEY,
            key_sha256="ef" * 32,
        ),
    ]
    world.reports = [
        _report(
            world.sources[0],
            events=1_284_033,
            raw_bytes=412_000_000,
            findings=412,
            last_received=now - 2_000_000,
            lag_max_s=1.8,
        ),
        _report(
            world.sources[1],
            events=92_811,
            raw_bytes=31_000_000,
            findings=17,
            last_received=now - 41_000_000,
            lag_max_s=3.1,
            unparsed=37,
            counters={"records": 92_848, "torn": 2, "redelivered": 4},
        ),
    ]
    return world


def _report(source: Source, **values: Any) -> SourceReport:
    """A report with the fields that the store's has, whatever else it asks for filled from the source."""
    names = {each.name for each in msgspec.structs.fields(SourceReport)}
    whole = {"source_id": source.id, "id": source.id, "layer": source.layer, "unit": source.unit, "realm": source.realm}
    zero = {"unparsed": 0, "truncated": 0, "time_flagged": 0, "quarantined": 0, "counters": {}}
    return SourceReport(**{name: value for name, value in (zero | whole | values).items() if name in names})


def seed(world: World, alerts: int = 60) -> list[int]:
    """A believable week: alerts of many rules, layers and levels, events behind the first, one drill, one hostile."""
    ids = [_seeded_alert(world, number) for number in range(alerts)]
    for alert_id in (ids[0], ids[1]):
        _events_behind(world, alert_id, 40 if alert_id == ids[0] else 3)
    world.events.sort(key=lambda row: -row["@timestamp"])
    return ids


RULES: tuple[tuple[str, str, Level, Layer, str], ...] = (
    ("Brute force against SSH", "SSH 口令暴力破解", Level.HIGH, Layer.HOST, "host-web"),
    ("Web shell written under a web root", "网站目录写入后门脚本", Level.CRITICAL, Layer.APPLICATION, "host-web"),
    ("Encoded PowerShell command", "PowerShell 编码命令执行", Level.HIGH, Layer.TERMINAL, "host-web"),
    ("DNS tunnel suspected", "疑似 DNS 隐蔽隧道", Level.MEDIUM, Layer.NETWORK, "fw-core"),
    ("Many rows read by a new account", "新账号大批量读取数据", Level.MEDIUM, Layer.DATA, "host-web"),
    ("Kubernetes exec into a pod", "进入容器执行命令", Level.LOW, Layer.PLATFORM, "host-web"),
    ("Port scan from inside", "内网端口扫描", Level.LOW, Layer.NETWORK, "fw-core"),
    ("Service account logged in interactively", "服务账号交互式登录", Level.INFORMATIONAL, Layer.HOST, "host-web"),
)


def _seeded_alert(world: World, number: int) -> int:
    title, title_zh, level, layer, source_id = RULES[number * 5 % len(RULES) if number else 0]
    ago = (number * number * 977 % (6 * 24 * 60)) * MINUTE_US if number > 1 else number * 9 * MINUTE_US
    changes: dict[str, Any] = {}
    if number == 3:
        title, title_zh, level = HOSTILE, HOSTILE, Level.CRITICAL
        changes = {"entities": {"host.name": [HOSTILE], "user.name": [HOSTILE]}, "matched": {"CommandLine": HOSTILE}}
    if number % 17 == 5:
        changes |= {"realm": Realm.DRILL, "unit": "transport", "source_id": "drill-ad"}
    card = a_card(
        id=f"rule-{title_zh}", title=title, title_zh=title_zh, level=level, description=_WHY if number == 0 else title
    )
    given = {
        "rule": card,
        "layer": layer,
        "source_id": source_id,
        "count": 40 if number == 0 else 1 + number * 37 % 900,
        "first_seen": world.now_us - ago - 20 * MINUTE_US,
        "last_seen": world.now_us - ago,
        "entities": {
            "host.name": [f"web-{number % 9:02}", "web-77"],
            "source.ip": [f"203.0.113.{number}"],
            "user.name": ["root"],
        },
        "matched": {"message": "Failed password for root from 203.0.113.7 port 40022 ssh2", "service": "sshd"},
        "sample_event_id": f"{number * 1000:032x}",
    }
    return world.raise_alert(**given | changes)


_WHY = (
    "More failed SSH logins from one address within five minutes than people make. "
    "An attacker guesses passwords; if a login succeeds afterwards, treat the account as lost."
)


def _events_behind(world: World, alert_id: int, count: int) -> None:
    alert = world.state.alert(Scope(units=None, realms=frozenset(Realm)), alert_id)
    assert alert is not None
    base = int(alert.sample_event_id, 16)
    for number in range(count):
        at = alert.last_seen - number * 29_000_000
        event = an_event(base + number, at, **_VARIETY[number % len(_VARIETY)])
        world.events.append(event)
        world.findings.append(a_finding(alert, event))


_VARIETY: tuple[dict[str, Any], ...] = (
    {},
    {"user.name": "admin", "host.name": "web-02"},
    {
        "dataset": "windows.sysmon",
        "product": "windows",
        "service": "sysmon",
        "event.code": "1",
        "layer": "terminal",
        "host.name": "WIN-7F2A",
        "user.name": "CITY\\wang.lei",
        "message": "powershell.exe -enc SQBFAFgA",
        "raw": '{"EventID":1,"CommandLine":"powershell.exe -enc SQBFAFgA","User":"CITY\\\\wang.lei"}',
    },
    {"message": HOSTILE, "raw": HOSTILE, "flags": "unparsed", "user.name": HOSTILE},
    {
        "layer": "network",
        "source_id": "fw-core",
        "unit": "water",
        "dataset": "firewall",
        "message": "DENY tcp 10.2.0.8:51022 -> 10.9.1.4:445",
        "raw": "DENY tcp 10.2.0.8:51022 -> 10.9.1.4:445 rule=112",
    },
)


class FakeIndicators:
    """One feed of one indicator; which feeds were asked to go is kept."""

    def __init__(self) -> None:
        self.removed: list[tuple[str, str]] = []

    def feeds(self) -> list[Feed]:
        return [Feed(name="city-feed", imported=1_790_000_000_000_000, counts={"domain": 1}, endless=1)]

    def search(self, value: str) -> list[Indicator]:
        one = Indicator(kind=IndicatorKind.DOMAIN, value="evil.example", feed="city-feed", confidence=90)
        return [one] if value == "evil.example" else []

    def remove(self, feed: str, person: str) -> Job:
        if feed != "city-feed":
            raise Problem("feed", "there is no such feed")
        self.removed.append((feed, person))
        return Job(id=1, kind="remove_indicators")
