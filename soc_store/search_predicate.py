"""Predicates of searches over segments: SQL in which every value is a parameter. Scope is the first of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from soc_model.layer import Realm
from soc_model.scope import Scope
from soc_store.newest import Newest


class Where(NamedTuple):
    """A predicate and its parameters."""

    sql: str
    values: list[Any]


def realms_in(scope: Scope, asked: Sequence[Realm]) -> list[Realm]:
    return [realm for realm in Realm if realm in scope.realms and (not asked or realm in asked)]


def in_scope(scope: Scope) -> list[Where]:
    realms = Where("realm IN (SELECT unnest(?::VARCHAR[]))", [sorted(scope.realms)])
    if scope.units is None:
        return [realms]
    return [realms, Where("unit IN (SELECT unnest(?::VARCHAR[]))", [sorted(scope.units)])]


def is_one_of(column: str, values: Sequence[str]) -> Where:
    return Where(f"{column} IN (SELECT unnest(?::VARCHAR[]))", [list(values)]) if values else Where("true", [])


def all_of(parts: Sequence[Where]) -> Where:
    return Where(" AND ".join(f"({part.sql})" for part in parts), [one for part in parts for one in part.values])


def after_cursor(order: Sequence[str], newest: Newest) -> Where:
    if newest.after is None:
        return Where("true", [])
    marks = ", ".join("?" * len(order))
    return Where(f"({', '.join(order)}) <= ({marks})", list(newest.after))


def newest_sql(listed: str, where: str, order: Sequence[str]) -> str:
    ordered = ", ".join(f"{column} DESC" for column in order)
    # Only names and marks of our own are put together here; every value is a parameter.
    return (
        f"SELECT {listed} FROM read_parquet(?, union_by_name = true, hive_partitioning = false)"  # noqa: S608
        f" WHERE {where} ORDER BY {ordered} LIMIT ?"
    )
