"""What each rule found by the hour, counted in the transaction of the triage tick, so that it is exact across restarts.

Hours are the center's own (when triage saw the finding). Rules in state test are counted like all others.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, func, select, text

from soc_model.alert import AlertDelta
from soc_model.rule_state import RuleHour
from soc_model.scope import Scope
from soc_store.state_tables import rule_hour

HOUR_US = 3_600_000_000
_ADD = text(
    "INSERT INTO rule_hour(rule_id, hour, unit, realm, findings, first_offset, last_offset)"
    " VALUES (:rule_id, :hour, :unit, :realm, :findings, :first_offset, :last_offset)"
    " ON CONFLICT(rule_id, hour, unit, realm) DO UPDATE SET findings = rule_hour.findings + excluded.findings,"
    " first_offset = min(rule_hour.first_offset, excluded.first_offset),"
    " last_offset = max(rule_hour.last_offset, excluded.last_offset)"
)


def count_findings(connection: Connection, deltas: Iterable[AlertDelta], now: int) -> None:
    """Add what a tick found; the caller holds the write lock."""
    hour = now - now % HOUR_US
    sums: dict[tuple[str, str, str], list[int]] = {}
    for delta in deltas:
        key = (delta.rule.id, delta.unit, delta.realm.value)
        known = sums.setdefault(key, [0, delta.first_offset, delta.last_offset])
        known[0] += delta.count
        known[1], known[2] = min(known[1], delta.first_offset), max(known[2], delta.last_offset)
    rows = [
        {"rule_id": rule, "hour": hour, "unit": unit, "realm": realm}
        | dict(zip(("findings", "first_offset", "last_offset"), counted, strict=True))
        for (rule, unit, realm), counted in sums.items()
    ]
    if rows:
        connection.execute(_ADD, rows)


class RuleHours:
    """Reads what rules found; safe to use from many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def found(self, scope: Scope, since: int) -> dict[str, int]:
        """Findings by rule in the hours from ``since`` on; a rule that found nothing is not there."""
        query = select(rule_hour.c.rule_id, func.sum(rule_hour.c.findings)).where(
            rule_hour.c.hour >= since - since % HOUR_US, *_seen(scope)
        )
        with self._engine.begin() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query.group_by(rule_hour.c.rule_id))}

    def hours(self, scope: Scope, rule_id: str, since: int) -> Sequence[RuleHour]:
        """What one rule found in each hour from ``since`` on in which it found something, oldest first."""
        query = (
            select(
                rule_hour.c.hour,
                func.sum(rule_hour.c.findings),
                func.min(rule_hour.c.first_offset),
                func.max(rule_hour.c.last_offset),
            )
            .where(rule_hour.c.rule_id == rule_id, rule_hour.c.hour >= since - since % HOUR_US, *_seen(scope))
            .group_by(rule_hour.c.hour)
            .order_by(rule_hour.c.hour)
        )
        with self._engine.begin() as connection:
            return [
                RuleHour(rule_id=rule_id, hour=row[0], findings=int(row[1]), first_offset=row[2], last_offset=row[3])
                for row in connection.execute(query)
            ]


def _seen(scope: Scope) -> list[ColumnElement[bool]]:
    realms = rule_hour.c.realm.in_(sorted(scope.realms))
    return [realms] if scope.units is None else [realms, rule_hour.c.unit.in_(sorted(scope.units))]
