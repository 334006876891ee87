"""What the state database no longer needs, let go of in slices, so that no write is long."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, delete, func, or_, select

from soc_store.state_tables import episode, job, link, outbox, rule_hour, session

HOURS = 24


class Leftover(StrEnum):
    """What may be left over; ``before`` (µs) is a time that each has its own of."""

    NOTICES = "notices"  # of the outbox, by when they were written: whoever was away for longer reads anew
    JOBS = "jobs"  # by when they ended
    SESSIONS = "sessions"  # by when they expired
    EPISODES = "episodes"  # by when they last grew, of those that only are events of other correlations
    LINKS = "links"  # by when they expired; the last used one stays: it proves that there was a first sign-in
    RULE_HOURS = "rule_hours"  # what rules found, by its hour; a slice is whole hours


def drop_slice(connection: Connection, what: Leftover, before: int, limit: int) -> int:
    """How many of at most ``limit`` rows older than ``before`` were let go of; fewer than ``limit``: no more there."""
    table, key, old = _OLD[what]
    found = [row[0] for row in connection.execute(old(before, limit))]
    connection.execute(delete(table).where(key.in_(found)))
    return len(found)


def _notices(before: int, limit: int) -> Select[Any]:
    # Only the first ones by seq are looked at: old ones stand in front, and a slice never reads a whole week.
    first = select(outbox.c.seq, outbox.c.at).order_by(outbox.c.seq).limit(limit).subquery()
    return select(first.c.seq).where(first.c.at < before)


def _jobs(before: int, limit: int) -> Select[Any]:
    return select(job.c.id).where(job.c.finished < before).order_by(job.c.finished).limit(limit)


def _sessions(before: int, limit: int) -> Select[Any]:
    return select(session.c.token_sha256).where(session.c.expires < before).order_by(session.c.expires).limit(limit)


def _episodes(before: int, limit: int) -> Select[Any]:
    # Those that an alert is made of stay as long as their alert, as it clicks through to them.
    old = (episode.c.raises_alert.is_(False), episode.c.updated < before)
    return select(episode.c.finding_id).where(*old).order_by(episode.c.updated).limit(limit)


def _links(before: int, limit: int) -> Select[Any]:
    last = select(func.max(link.c.used)).scalar_subquery()
    spent = or_(link.c.used.is_(None), link.c.used < last)
    return select(link.c.token_sha256).where(link.c.expires < before, spent).limit(limit)


def _rule_hours(before: int, limit: int) -> Select[Any]:
    # Each hour has as many rows as rules found something in it, so few hours are a slice.
    old = select(rule_hour.c.hour).where(rule_hour.c.hour < before).distinct()
    return old.order_by(rule_hour.c.hour).limit(min(limit, HOURS))


_OLD: dict[Leftover, tuple[Table, Column[Any], Callable[[int, int], Select[Any]]]] = {
    Leftover.NOTICES: (outbox, outbox.c.seq, _notices),
    Leftover.JOBS: (job, job.c.id, _jobs),
    Leftover.SESSIONS: (session, session.c.token_sha256, _sessions),
    Leftover.RULE_HOURS: (rule_hour, rule_hour.c.hour, _rule_hours),
    Leftover.EPISODES: (episode, episode.c.finding_id, _episodes),
    Leftover.LINKS: (link, link.c.token_sha256, _links),
}
