"""Jobs in the state database: asked for, leased to one worker each, and brought to one end.

    queued ──lease──▶ running ──finish──▶ done, failed, cancelled
       ▲ └─cancel─▶ cancelled │
       └──release, lost────────┘ (lost too often: failed; lost and to be cancelled: cancelled)

Every write is one short transaction that looks at the state it changes, so of two that want the same one comes too
late and changes nothing. One job of a kind runs at a time: a kind needs no lock of its own.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, insert, select, update

from soc_model.audit import Act
from soc_model.job import ERROR_CHARS, FINAL, PARAMS_BYTES, SCHEDULE, TEXT_CHARS, Job, JobState
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_store.audit import write_act
from soc_store.job_filter import Held, JobFilter, JobPage
from soc_store.keyset import decode_cursor, encode_cursor
from soc_store.packing import jsoned, storable
from soc_store.sequence import next_numbers
from soc_store.state_database import writing
from soc_store.state_tables import job

_OPEN = (JobState.QUEUED, JobState.RUNNING)
_INT64 = (1 << 63) - 1


class Jobs:
    """All jobs of one center; safe to use from many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enqueue(
        self,
        kind: str,
        params: Mapping[str, Any],
        created_by: str,
        now: int,
        *,
        attempts_max: int = 3,
        unless_waiting: bool = False,
    ) -> Job:
        """The new job; with ``unless_waiting`` the one of this kind that is queued or runs already, if any.

        ``Problem`` for parameters over ``PARAMS_BYTES``. What a person asks for stands in the audit record.
        """
        if len(jsoned(dict(params)).encode()) > PARAMS_BYTES:
            raise Problem("params", f"are over {PARAMS_BYTES >> 10} KiB")
        with writing(self._engine) as connection:
            if unless_waiting:
                waiting = select(job).where(job.c.kind == kind, job.c.state.in_(_OPEN)).order_by(job.c.id).limit(1)
                if (row := connection.execute(waiting).first()) is not None:
                    return _job(row)
            made = Job(
                id=next_numbers(connection, "job", 1),
                kind=kind,
                params=dict(params),
                created=now,
                created_by=created_by or SCHEDULE,
                attempts_max=attempts_max,
            )
            connection.execute(insert(job).values(_row(made)))
            if made.created_by != SCHEDULE:
                write_act(connection, Act.JOB_ASKED, Actor(name=created_by), f"job {made.id}", now, kind=kind)
            return made

    def lease(self, worker: str, now: int, until: int) -> Job | None:
        """The oldest job that may run now, held by ``worker`` until ``until``; ``None`` when there is none."""
        with self._engine.begin() as connection:  # a look first: an idle center writes nothing
            if connection.execute(_next_to_run()).first() is None:
                return None
        with writing(self._engine) as connection:
            row = connection.execute(_next_to_run()).first()
            if row is None:
                return None
            fresh = {"progress_done": 0, "progress_total": 0, "progress_text": ""}
            held = {"state": JobState.RUNNING, "worker": worker, "lease_until": until, "started": now, **fresh}
            connection.execute(update(job).where(job.c.id == row.id).values(held))
            return _one(connection, row.id)

    def beat(self, job_id: int, worker: str, until: int, *, done: int = 0, total: int = 0, text: str = "") -> Held:
        """Hold the job longer and keep how far it is; says whether it is still the worker's and shall go on."""
        told = {"progress_done": _counted(done), "progress_total": _counted(total), "progress_text": _cut(text)}
        with writing(self._engine) as connection:
            query = update(job).where(*_held(job_id, worker)).values(lease_until=until, **told)
            wanted = connection.execute(query.returning(job.c.cancel_requested)).scalar()
        return Held(ours=wanted is not None, cancel_requested=bool(wanted))

    def held(self, job_id: int, worker: str) -> Held:
        """Whether the job is still the worker's, and whether it shall go on; changes nothing."""
        with self._engine.begin() as connection:
            wanted = connection.execute(select(job.c.cancel_requested).where(*_held(job_id, worker))).scalar()
        return Held(ours=wanted is not None, cancel_requested=bool(wanted))

    def finish(
        self, job_id: int, worker: str, state: JobState, now: int, *, error: str = "", result: Mapping[str, Any] = {}
    ) -> bool:
        """Bring the job to its end; False, and nothing is changed, when it is no longer the worker's."""
        if state not in FINAL:
            raise ValueError(f"{state} is no end")
        ended = {"state": state, "finished": now, "error": _cut(error, ERROR_CHARS), "result": jsoned(dict(result))}
        with writing(self._engine) as connection:
            query = update(job).where(*_held(job_id, worker)).values(lease_until=None, **ended)
            return connection.execute(query).rowcount == 1

    def release(self, job_id: int, worker: str, now: int) -> bool:
        """Give the job back unharmed, because the worker stops; it is tried again and nothing is counted."""
        with writing(self._engine) as connection:
            row = connection.execute(select(job).where(*_held(job_id, worker))).first()
            if row is None:
                return False
            again: dict[str, Any] = {"state": JobState.QUEUED, "lease_until": None, "worker": ""}
            ended = {"state": JobState.CANCELLED, "lease_until": None, "finished": now}
            connection.execute(update(job).where(job.c.id == job_id).values(ended if row.cancel_requested else again))
            return True

    def lost(self, job_id: int, worker: str, now: int, why: str) -> bool:
        """The job's process was lost in the middle: tried again, or failed when that was too often."""
        with writing(self._engine) as connection:
            row = connection.execute(select(job).where(*_held(job_id, worker))).first()
            if row is not None:
                _lose(connection, row, now, why)
            return row is not None

    def reclaim(self, now: int) -> list[int]:
        """The ids of the jobs whose lease has ended: their worker is gone; each is tried again or failed."""
        overdue = select(job).where(job.c.state == JobState.RUNNING, job.c.lease_until < now)
        with self._engine.begin() as connection:
            if connection.execute(overdue.limit(1)).first() is None:
                return []
        with writing(self._engine) as connection:
            rows = connection.execute(overdue.limit(100)).all()
            for row in rows:
                _lose(connection, row, now, "its worker was lost and did not come back")
            return [row.id for row in rows]

    def request_cancel(self, job_id: int, now: int, by: str = "") -> Job | None:
        """The job after the request: cancelled where it was queued, asked to end where it runs, else as it was.

        Who asked, where that is a person, stands in the audit record.
        """
        with writing(self._engine) as connection:
            ended = {"state": JobState.CANCELLED, "finished": now, "cancel_requested": True}
            queued = (job.c.id == job_id, job.c.state == JobState.QUEUED)
            changed = connection.execute(update(job).where(*queued).values(ended)).rowcount
            running = (job.c.id == job_id, job.c.state == JobState.RUNNING, job.c.cancel_requested.is_(False))
            changed += connection.execute(update(job).where(*running).values(cancel_requested=True)).rowcount
            found = _one(connection, job_id)
            if found is not None and changed and by:
                write_act(connection, Act.JOB_CANCELLED, Actor(name=by), f"job {job_id}", now, kind=found.kind)
            return found

    def get(self, job_id: int) -> Job | None:
        """One job, ``None`` when there is none."""
        with self._engine.begin() as connection:
            return _one(connection, job_id)

    def page(self, query: JobFilter, limit: int = 100, cursor: str | None = None) -> JobPage:
        """Up to ``limit`` jobs, the newest first; ``Problem`` for a bad cursor."""
        wanted = _filtered(query)
        if cursor is not None:
            wanted = wanted.where(job.c.id < _before(cursor))
        with self._engine.begin() as connection:
            rows = connection.execute(wanted.order_by(job.c.id.desc()).limit(limit + 1)).all()
        more = encode_cursor(["job", rows[limit - 1].id]) if len(rows) > limit else None
        return JobPage(jobs=[_job(row) for row in rows[:limit]], cursor=more)


def _next_to_run() -> Select[Any]:
    busy = select(job.c.kind).where(job.c.state == JobState.RUNNING)
    waiting = select(job.c.id).where(job.c.state == JobState.QUEUED, job.c.kind.not_in(busy))
    return waiting.order_by(job.c.id).limit(1)


def _held(job_id: int, worker: str) -> tuple[Any, ...]:
    return (job.c.id == job_id, job.c.state == JobState.RUNNING, job.c.worker == worker)


def _lose(connection: Connection, row: Row[Any], now: int, why: str) -> None:
    attempts = row.attempts + 1
    after: dict[str, Any] = {"attempts": attempts, "lease_until": None}
    if row.cancel_requested:
        after |= {"state": JobState.CANCELLED, "finished": now}
    elif attempts > row.attempts_max:
        after |= {
            "state": JobState.FAILED,
            "finished": now,
            "error": _cut(f"{why}; tried {attempts} times", ERROR_CHARS),
        }
    else:
        after |= {"state": JobState.QUEUED, "worker": "", "error": _cut(why, ERROR_CHARS)}
    connection.execute(update(job).where(job.c.id == row.id).values(after))


def _filtered(query: JobFilter) -> Select[Any]:
    wanted = select(job)
    if query.states:
        wanted = wanted.where(job.c.state.in_(query.states))
    if query.kinds:
        wanted = wanted.where(job.c.kind.in_(query.kinds))
    return wanted.where(job.c.created_by == query.created_by) if query.created_by else wanted


def _before(cursor: str) -> int:
    match decode_cursor(cursor):
        case ["job", int(last)]:
            return last
    raise Problem("cursor", "is not one of the list of jobs")


def _one(connection: Connection, job_id: int) -> Job | None:
    row = connection.execute(select(job).where(job.c.id == job_id)).first()
    return None if row is None else _job(row)


def _row(made: Job) -> dict[str, Any]:
    plain = msgspec.structs.asdict(made)
    return {**plain, "params": jsoned(made.params), "result": jsoned(made.result)}


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    parts = {name: msgspec.json.decode(values[name]) for name in ("params", "result")}
    return Job(**{**values, **parts, "state": JobState(row.state)})


def _counted(number: int) -> int:
    return max(0, min(number, _INT64))


def _cut(text: str, chars: int = TEXT_CHARS) -> str:
    return str(storable(text))[:chars]
