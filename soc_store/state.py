"""The state of the center: alerts, cursor, outbox, links and sessions, in one database behind one class.

Reads of rows that carry a unit and a realm take the Scope first. Writes are short and take turns.
"""

from collections.abc import Sequence

from sqlalchemy import Engine

from soc_model.alert import Alert, AlertDelta, AlertState, OutboxItem
from soc_model.episode import Episode
from soc_model.layer import Level
from soc_model.scope import Scope
from soc_model.session import Session
from soc_store.access import (
    delete_session,
    link_used_ever,
    read_session,
    touch_due,
    touch_session,
    use_link,
    write_link,
    write_session,
)
from soc_store.alert_filter import AlertCounts, AlertFilter, AlertPage, Sort
from soc_store.alert_reading import (
    read_alerts,
    read_counts,
    read_histogram,
    read_page,
    read_rule_alerts,
    read_rules_updated,
)
from soc_store.alert_writing import write_state, write_tick
from soc_store.api_keys import ApiKeys
from soc_store.audit import AuditLog
from soc_store.correlation_store import (
    CorrelationStep,
    EpisodePage,
    EpisodeQuery,
    read_episode,
    read_episodes,
    read_steps,
)
from soc_store.enrolment import Enrolments
from soc_store.interfaces import AuditStore, EnrolmentStore, KeyStore, PeopleStore, SignInStore
from soc_store.jobs import Jobs
from soc_store.leftovers import Leftover, drop_slice
from soc_store.migration import back_up, open_current
from soc_store.migration import migrate as bring_up_to_date
from soc_store.mode import Mode, claim_mode, read_mode
from soc_store.outbox import read_outbox
from soc_store.people import People
from soc_store.rule_decisions import RuleDecisions
from soc_store.rule_hours import RuleHours
from soc_store.schedules import Schedules
from soc_store.sequence import read_number
from soc_store.sign_ins import SignIns
from soc_store.state_database import writing

__all__ = [
    "AlertCounts",
    "AlertFilter",
    "AlertPage",
    "CorrelationStep",
    "EpisodePage",
    "EpisodeQuery",
    "Sort",
    "State",
    "back_up",
]


class State:
    """The state database; safe to use from many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.jobs = Jobs(engine)
        self.schedules = Schedules(engine)
        self.people: PeopleStore = People(engine)
        self.enrolments: EnrolmentStore = Enrolments(engine)
        self.sign_ins: SignInStore = SignIns(engine)
        self.keys: KeyStore = ApiKeys(engine)
        self.audit: AuditStore = AuditLog(engine)
        self.rules = RuleDecisions(engine)
        self.rule_hours = RuleHours(engine)

    @classmethod
    def open(cls, url: str, migrate: bool = False) -> "State":
        """The state at ``url`` (``sqlite:////path``); with ``migrate`` made or brought to this program's revision,
        after a backup. ``Problem`` when it is of another revision or is something else."""
        if migrate:
            bring_up_to_date(url)
        return cls(open_current(url))

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def cursor(self) -> int:
        """The journal offset up to which outcomes have been counted into alerts."""
        with self._engine.begin() as connection:
            return read_number(connection, "cursor")

    def commit_tick(
        self,
        deltas: Sequence[AlertDelta],
        cursor: int,
        now: int,
        *,
        after: int | None = None,
        step: CorrelationStep | None = None,
    ) -> list[int]:
        """The ids of the alerts opened or changed, in one transaction with the cursor and the outbox.

        A cursor that is not above the stored one changes nothing: an outcome that is read again counts once.
        ``after`` is where the deltas begin; ``Problem`` when that is not the stored cursor: somebody else triages.
        ``step`` is what correlations add; with it and ``after`` a tick may stay where the cursor is.
        """
        with writing(self._engine) as connection:
            return write_tick(connection, deltas, cursor, now, after=after, step=step)

    def correlation_steps(self) -> list[tuple[bool, bytes]]:
        """What the windows of correlations are made again from: (whole, body), in order; a whole one only first."""
        with self._engine.begin() as connection:
            return read_steps(connection)

    def episodes(self, scope: Scope, query: EpisodeQuery) -> EpisodePage:
        """The newest episodes of an alert of a correlation; none where the alert is of another rule."""
        with self._engine.begin() as connection:
            return read_episodes(connection, scope, query)

    def episode(self, scope: Scope, finding_id: str) -> Episode | None:
        """One episode, ``None`` when there is none or the scope does not see it."""
        with self._engine.begin() as connection:
            return read_episode(connection, scope, finding_id)

    def alerts(
        self,
        scope: Scope,
        query: AlertFilter,
        sort: Sort = "last_seen",
        limit: int = 100,
        cursor: str | None = None,
    ) -> AlertPage:
        """Up to ``limit`` alerts, the latest (gravest, most frequent) first; ``Problem`` for a bad cursor."""
        with self._engine.begin() as connection:
            return read_page(connection, scope, query, sort=sort, limit=limit, cursor=cursor)

    def alert(self, scope: Scope, alert_id: int) -> Alert | None:
        """One alert, ``None`` when there is none or the scope does not see it."""
        with self._engine.begin() as connection:
            return next(iter(read_alerts(connection, scope, [alert_id])), None)

    def counts(self, scope: Scope, query: AlertFilter) -> AlertCounts:
        """How many alerts there are under a filter."""
        with self._engine.begin() as connection:
            return read_counts(connection, scope, query)

    def histogram(
        self, scope: Scope, query: AlertFilter, since: int, until: int, buckets: int
    ) -> list[tuple[int, dict[Level, int]]]:
        """``buckets`` equal spans of [``since``, ``until``) by the time last seen: (start, alerts by level)."""
        with self._engine.begin() as connection:
            return read_histogram(connection, scope, query, since=since, until=until, buckets=buckets)

    def rule_alerts(self, scope: Scope) -> dict[str, tuple[int, int]]:
        """By rule id: how many alerts the scope sees, and when one was last seen."""
        with self._engine.begin() as connection:
            return read_rule_alerts(connection, scope)

    def rules_updated(self, scope: Scope) -> dict[str, int]:
        """By rule id: when an alert that the scope sees was last added to, by the center's clock."""
        with self._engine.begin() as connection:
            return read_rules_updated(connection, scope)

    def set_state(self, scope: Scope, alert_id: int, state: AlertState, person: str, now: int) -> Alert | None:
        """The alert in its new state, ``None`` when the scope does not see it; who and when is kept.

        ``Problem`` when it shall be opened again while another alert of its key is open.
        """
        with writing(self._engine) as connection:
            return write_state(connection, scope, alert_id, state, person=person, now=now)

    def outbox(self, scope: Scope, after: int, limit: int = 100) -> list[OutboxItem]:
        """Up to ``limit`` notices above seq ``after`` that the scope sees, in order."""
        with self._engine.begin() as connection:
            return read_outbox(connection, scope, after, limit)

    def outbox_last(self) -> int:
        """The highest seq ever given, 0 before the first."""
        with self._engine.begin() as connection:
            return read_number(connection, "outbox")

    def make_link(self, token_sha256: str, purpose: str, expires: int) -> None:
        """Make a link that works once until ``expires``."""
        with writing(self._engine) as connection:
            write_link(connection, token_sha256, purpose, expires)

    def use_link(self, token_sha256: str, now: int) -> bool:
        """Whether the link worked; it never works again."""
        with writing(self._engine) as connection:
            return use_link(connection, token_sha256, now)

    def link_used_ever(self) -> bool:
        """Whether any link was ever used."""
        with self._engine.begin() as connection:
            return link_used_ever(connection)

    def start_session(self, token_sha256: str, session: Session) -> None:
        """Keep a session until it expires."""
        with writing(self._engine) as connection:
            write_session(connection, token_sha256, session)

    def session(self, token_sha256: str, now: int) -> Session | None:
        """The session of a token, ``None`` when there is none or it has expired."""
        with self._engine.begin() as connection:
            return read_session(connection, token_sha256, now)

    def touch_session(self, token_sha256: str, now: int) -> None:
        """Say that a session was used now, to the minute."""
        with self._engine.begin() as connection:
            due = touch_due(connection, token_sha256, now)
        if due:
            with writing(self._engine) as connection:
                touch_session(connection, token_sha256, now)

    def end_session(self, token_sha256: str) -> None:
        """Forget a session."""
        with writing(self._engine) as connection:
            delete_session(connection, token_sha256)

    def drop_leftovers(self, what: Leftover, before: int, limit: int) -> int:
        """How many of at most ``limit`` rows older than ``before`` were let go of, in one short write."""
        with writing(self._engine) as connection:
            return drop_slice(connection, what, before, limit)

    def mode(self) -> Mode | None:
        """Whether this is an evaluation or real; None before the first start."""
        with self._engine.begin() as connection:
            return read_mode(connection)

    def claim_mode(self, mode: Mode) -> None:
        """Make it that for ever; ``Problem`` when it is the other."""
        with writing(self._engine) as connection:
            claim_mode(connection, mode)
