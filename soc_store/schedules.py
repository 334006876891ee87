"""The schedule in the state database: how often each kind of job is asked for, and when that was done last."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Row, delete, insert, select, update

from soc_model.audit import Act
from soc_model.job import Schedule
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_store.audit import write_act
from soc_store.state_database import writing
from soc_store.state_tables import schedule

SHORTEST_S = 1
LONGEST_S = 366 * 86_400


class Schedules:
    """One schedule a kind of job; safe to use from many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Schedule]:
        """Every schedule, by kind."""
        with self._engine.begin() as connection:
            return [_schedule(row) for row in connection.execute(select(schedule).order_by(schedule.c.kind))]

    def adopt(self, wanted: Sequence[Schedule]) -> None:
        """Take over what the kinds say of themselves: new ones are added, those that are gone are removed.

        What a person has changed stays as it is, but for the attempts.
        """
        with writing(self._engine) as connection:
            known = {row.kind: row for row in connection.execute(select(schedule))}
            gone = set(known) - {each.kind for each in wanted}
            connection.execute(delete(schedule).where(schedule.c.kind.in_(gone)))
            for each in wanted:
                said = {"every_s": each.every_s, "enabled": each.enabled, "attempts_max": each.attempts_max}
                if each.kind not in known:
                    connection.execute(insert(schedule).values(kind=each.kind, changed=0, changed_by="", **said))
                    continue
                if known[each.kind].changed_by:
                    said = {"attempts_max": each.attempts_max}
                connection.execute(update(schedule).where(schedule.c.kind == each.kind).values(said))

    def change(
        self, kind: str, person: str, now: int, *, every_s: int | None = None, enabled: bool | None = None
    ) -> Schedule | None:
        """The schedule after a person's change, ``None`` when there is no such kind; what is ``None`` stays.

        ``Problem`` for an interval that is too short or long, and for one that is switched on without any.
        """
        if every_s is not None and not SHORTEST_S <= every_s <= LONGEST_S:
            raise Problem("every_s", f"must be from {SHORTEST_S} to {LONGEST_S} seconds")
        with writing(self._engine) as connection:
            row = connection.execute(select(schedule).where(schedule.c.kind == kind)).first()
            if row is None:
                return None
            interval = row.every_s if every_s is None else every_s
            on = row.enabled if enabled is None else enabled
            if on and interval is None:
                raise Problem("every_s", f"{kind} has no interval yet: name one to switch it on")
            values = {"every_s": interval, "enabled": on, "changed": now, "changed_by": person}
            connection.execute(update(schedule).where(schedule.c.kind == kind).values(values))
            said = {"every_s": str(interval), "enabled": "yes" if on else "no"}
            write_act(connection, Act.SCHEDULE_CHANGED, Actor(name=person), kind, now, **said)
            return _schedule(connection.execute(select(schedule).where(schedule.c.kind == kind)).one())

    def queued(self, kind: str, now: int) -> None:
        """Keep that the clock has asked for this kind now."""
        with writing(self._engine) as connection:
            connection.execute(update(schedule).where(schedule.c.kind == kind).values(last_queued=now))


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(**row._mapping)
