"""What the app is given: stores, searches, health, the clock. No globals and no settings are read in soc_api.

``Services`` is made once by soc_center and handed to ``create_app``. Functions that return awaitables run in the event
loop; everything of ``State`` and ``Assets``, ``sources`` and ``health`` is called from worker threads and may block for
milliseconds.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from soc_api.job_services import JobServices
from soc_api.rule_services import RuleServices
from soc_model.alert import Alert, AlertState, OutboxItem
from soc_model.asset import Asset
from soc_model.episode import Episode
from soc_model.indicator import Feed, Indicator
from soc_model.job import Job
from soc_model.layer import Level
from soc_model.right import Right
from soc_model.scope import Scope
from soc_model.session import Session
from soc_model.source import Source
from soc_store.asset_query import AssetCounts, AssetDetail, AssetFilter, AssetPage
from soc_store.interfaces import AuditStore, EnrolmentStore, KeyStore, PeopleStore, SignInStore
from soc_store.search import EventPage, EventQuery, FindingPage, FindingQuery
from soc_store.secret_box import SecretBox
from soc_store.source_report import SourceReport
from soc_store.state import AlertCounts, AlertFilter, AlertPage, EpisodePage, EpisodeQuery, Sort


class AlertStore(Protocol):
    """What the app uses of ``soc_store.state.State``: alerts, the outbox, links and sessions."""

    def alerts(self, scope: Scope, query: AlertFilter, sort: Sort, limit: int, cursor: str | None) -> AlertPage: ...
    def alert(self, scope: Scope, alert_id: int) -> Alert | None: ...
    def counts(self, scope: Scope, query: AlertFilter) -> AlertCounts: ...
    def histogram(
        self, scope: Scope, query: AlertFilter, since: int, until: int, buckets: int
    ) -> Sequence[tuple[int, Mapping[Level, int]]]: ...
    def set_state(self, scope: Scope, alert_id: int, state: AlertState, person: str, now: int) -> Alert | None: ...
    def rule_alerts(self, scope: Scope) -> Mapping[str, tuple[int, int]]: ...
    def episodes(self, scope: Scope, query: EpisodeQuery) -> EpisodePage: ...
    def episode(self, scope: Scope, finding_id: str) -> Episode | None: ...
    def outbox(self, scope: Scope, after: int, limit: int) -> Sequence[OutboxItem]: ...
    def outbox_last(self) -> int: ...
    @property
    def people(self) -> PeopleStore: ...
    @property
    def enrolments(self) -> EnrolmentStore: ...
    @property
    def sign_ins(self) -> SignInStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def audit(self) -> AuditStore: ...
    def use_link(self, token_sha256: str, now: int) -> bool: ...
    def link_used_ever(self) -> bool: ...
    def start_session(self, token_sha256: str, session: Session) -> None: ...
    def session(self, token_sha256: str, now: int) -> Session | None: ...
    def touch_session(self, token_sha256: str, now: int) -> None: ...
    def end_session(self, token_sha256: str) -> None: ...


class AssetStore(Protocol):
    """What the app uses of ``soc_store.assets.Assets``."""

    def assets(self, scope: Scope, query: AssetFilter, limit: int, cursor: str | None) -> AssetPage: ...
    def asset_detail(self, scope: Scope, asset_id: str, links: int) -> AssetDetail | None: ...
    def asset_counts(self, scope: Scope, query: AssetFilter) -> AssetCounts: ...
    def describe(
        self, scope: Scope, asset_id: str, change: Mapping[str, str], person: str, now: int
    ) -> Asset | None: ...


class IndicatorServices(Protocol):
    """Threat-intelligence indicators as the app may use them; ``remove`` only asks, and gives the job."""

    def feeds(self) -> Sequence[Feed]: ...
    def search(self, value: str) -> Sequence[Indicator]: ...
    def remove(self, feed: str, person: str) -> Job: ...


class ProcessHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the center as last heard of; ``pid=None`` means it does not run.

    ``last_seen`` is the time of its last gauge (0: never), ``memory_bytes`` its proportional set size if known, and
    ``gauges`` its own numbers.
    """

    name: str
    pid: int | None
    last_seen: int
    started: int = 0
    memory_bytes: int | None = None
    restarts: int = 0
    gauges: dict[str, int | float | str] = {}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the center itself is: its processes, how far each stage has come, and what overload has cost.

    Offsets are journal offsets: what ``journal`` has and ``outcomes`` has not is waiting to be detected, and so on.
    ``overload`` counts what was dropped, refused, evicted or put off, by name; all zero is well.
    ``caches`` are those whose keys senders choose, so that they are bounded: hits, misses and evicted, by name.
    ``found`` is what rules found since triage began: ``findings`` and, of those, ``storm_findings``, by rule id.
    ``rules`` is how many rules run, ``rules_refused`` how many were refused, ``refusals`` the first of them with place
    and reason. ``snapshot`` names them. ``reload_result`` (exchanged, unchanged, failed) is what came of the last wish
    for other rules at ``reload_at``; where it failed, ``reload_problem`` says why and the rules before go on.
    ``reference`` names the zones by which events get their unit, ``reference_problem`` why they are not the newest;
    ``indicators`` and ``indicators_problem`` say the same of the set of threat-intelligence indicators.
    """

    processes: list[ProcessHealth]
    journal_offset: int
    outcome_offset: int
    triage_offset: int
    archive_offset: int
    overload: dict[str, int] = {}
    caches: dict[str, dict[str, int]] = {}
    found: dict[str, dict[str, int]] = {}
    rules: int = 0
    rules_refused: int = 0
    refusals: list[str] = []
    snapshot: str = ""
    reload_result: str = ""
    reload_problem: str = ""
    reload_at: int = 0
    reference: str = ""
    reference_problem: str = ""
    indicators: str = ""
    indicators_problem: str = ""
    disk_used_bytes: int = 0
    disk_free_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What somebody may see of the metrics."""

    scope: Scope
    rights: frozenset[Right]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraper:
    """Who comes with the metrics token: known by the token's SHA-256 (hex), never by the token."""

    token_sha256: str
    reader: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the app may use.

    ``wait_for_outbox`` returns when new outbox rows may exist; being late costs a poll, never a row. ``hosts`` are the
    host names (without port) this app answers to. ``link_command`` is what makes a new sign-in link on the terminal.
    ``reload_rules`` has the rules read again soon; it is told who asks.
    ``box`` seals the secrets of one-time codes.
    ``scraper`` may read ``/metrics`` without a session; None: nobody may.
    """

    state: AlertStore
    jobs: JobServices
    rules: RuleServices
    indicators: IndicatorServices
    assets: AssetStore
    search_events: Callable[[Scope, EventQuery], Awaitable[EventPage]]
    search_findings: Callable[[Scope, FindingQuery], Awaitable[FindingPage]]
    sources: Callable[[Scope], Sequence[SourceReport]]
    source_settings: Callable[[], Sequence[Source]]
    health: Callable[[], Health]
    reload_rules: Callable[[str], None]
    wait_for_outbox: Callable[[], Awaitable[object]]
    now: Callable[[], int]
    box: SecretBox
    evaluation: bool
    version: str
    hosts: Sequence[str]
    secure_cookie: bool
    name: str = "fengsui"
    units: Mapping[str, str] = field(default_factory=dict)
    link_command: str = "fengsui link"
    scraper: Scraper | None = None
