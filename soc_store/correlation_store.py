"""What correlations leave in the state: their episodes, and the steps their windows are made again from.

Written in the transaction of the triage tick they belong to, so that after a crash alerts, episodes, windows and the
cursor are of one moment.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, insert, literal, select, text, tuple_

from soc_model.episode import Episode
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.keyset import decode_cursor, encode_cursor
from soc_store.packing import jsoned
from soc_store.state_tables import correlation_step, episode

SLICE = 500
_PUT = text(
    "INSERT INTO episode(finding_id, rule_id, key, unit, realm, start, last, updated, raises_alert, body)"
    " VALUES (:finding_id, :rule_id, :key, :unit, :realm, :start, :last, :updated, :raises_alert, :body)"
    " ON CONFLICT(finding_id) DO UPDATE SET last = excluded.last, updated = excluded.updated, body = excluded.body"
)


class CorrelationStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a tick came to for correlations: episodes as they are now, finding ids of those that are part of others.

    ``body`` is what the windows are made again from, empty where they did not change; when ``whole`` it stands for all
    steps before it too.
    """

    episodes: list[Episode] = []
    gone: list[str] = []
    body: bytes = b""
    whole: bool = False


class EpisodePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some episodes, newest first; ``cursor`` asks for those after."""

    episodes: list[Episode]
    cursor: str | None


class EpisodeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The episodes of an alert: of its key, and within [``since``, ``until``] at some time (event time)."""

    key: str
    since: int
    until: int
    limit: int = 100
    cursor: str | None = None


def write_step(connection: Connection, step: CorrelationStep, now: int) -> None:
    """Keep what a tick came to."""
    for begin in range(0, len(step.gone), SLICE):
        connection.execute(delete(episode).where(episode.c.finding_id.in_(step.gone[begin : begin + SLICE])))
    if step.episodes:
        connection.execute(_PUT, [_row(one, now) for one in step.episodes])
    if step.whole:
        connection.execute(delete(correlation_step))
    if step.body:
        connection.execute(insert(correlation_step).values(whole=step.whole, body=step.body))


def read_steps(connection: Connection) -> list[tuple[bool, bytes]]:
    """The last whole copy, where there is one, and the steps since: (whole, body), in order."""
    rows = connection.execute(select(correlation_step).order_by(correlation_step.c.id))
    return [(row.whole, row.body) for row in rows]


def read_episodes(connection: Connection, scope: Scope, wanted: EpisodeQuery) -> EpisodePage:
    """The newest episodes of a key that the scope sees; ``Problem`` for a bad cursor."""
    query = _seen(scope).where(
        episode.c.key == wanted.key, episode.c.start <= wanted.until, episode.c.last >= wanted.since
    )
    order = (episode.c.start, episode.c.finding_id)
    if wanted.cursor is not None:
        after = decode_cursor(wanted.cursor)
        if [type(value) for value in after] != [int, str]:
            raise Problem("cursor", "is not one of a list of episodes")
        query = query.where(tuple_(*order) < tuple_(*map(literal, after)))
    rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(wanted.limit + 1)).all()
    found = [msgspec.json.decode(row.body, type=Episode) for row in rows[: wanted.limit]]
    more = encode_cursor([found[-1].start, found[-1].finding_id]) if len(rows) > wanted.limit else None
    return EpisodePage(episodes=found, cursor=more)


def read_episode(connection: Connection, scope: Scope, finding_id: str) -> Episode | None:
    """One episode, None when there is none or the scope does not see it."""
    row = connection.execute(_seen(scope).where(episode.c.finding_id == finding_id)).first()
    return msgspec.json.decode(row.body, type=Episode) if row is not None else None


def _seen(scope: Scope) -> Select[Any]:
    query = select(episode.c.body).where(episode.c.realm.in_(sorted(scope.realms)))
    return query if scope.units is None else query.where(episode.c.unit.in_(sorted(scope.units)))


def _row(one: Episode, now: int) -> dict[str, object]:
    plain = ("finding_id", "rule_id", "key", "unit", "realm", "start", "last", "raises_alert")
    return {name: getattr(one, name) for name in plain} | {"updated": now, "body": jsoned(one).encode()}
