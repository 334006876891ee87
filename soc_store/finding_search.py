"""Search of the findings of an alert or a rule, newest first: sealed segments by DuckDB, outcomes by Python."""

from pathlib import Path

import msgspec

from soc_model.finding import Finding
from soc_model.scope import Scope
from soc_store.archive_view import ArchiveView, read_view
from soc_store.day import day_of
from soc_store.event_query import FindingPage, FindingQuery
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import Partition
from soc_store.newest import Key, Newest
from soc_store.search_predicate import Where, after_cursor, all_of, in_scope, newest_sql, realms_in

_FINDING_KEY: Key = (0, 0, "")
_FINDING_ORDER = ('"at"', '"offset"', "finding_id")


def search_findings(data: Path, scope: Scope, query: FindingQuery) -> FindingPage:
    """The newest findings of an alert or rule that the scope sees, each once; ``Problem`` for a bad cursor or limit."""
    return read_view(data, realms_in(scope, ()), lambda view: _findings(data, scope, query, view))


def _findings(data: Path, scope: Scope, query: FindingQuery, view: ArchiveView) -> FindingPage:
    newest = Newest(query.limit, query.cursor, _FINDING_KEY)
    for head in view.heads(query.first_offset - 1):
        if head.offset > query.last_offset:
            break
        found = (one for one in head.findings if _is_asked(query, one) and scope.sees(one.unit, one.realm))
        unsealed = (one for one in found if not view.is_sealed(_finding_partition(one), head.offset))
        newest.add((key, one) for one in unsealed if newest.takes(key := _finding_key(one)))
    paths = [
        str((data / "archive").resolve() / realm / segment.file)
        for realm, manifest in view.manifests.items()
        for segment in manifest.by_offset(query.first_offset, query.last_offset)
    ]
    if paths:
        newest.add((_finding_key(one), one) for one in _select_findings(data, paths, scope, query, newest))
    findings, cursor = newest.page()
    return FindingPage(findings=findings, cursor=cursor)


def _select_findings(data: Path, paths: list[str], scope: Scope, query: FindingQuery, newest: Newest) -> list[Finding]:
    column, value = ("key", query.key) if query.key else ("rule_id", query.rule_id)
    asked = Where(f'{column} = ? AND "offset" BETWEEN ? AND ?', [value, query.first_offset, query.last_offset])
    where = all_of([*in_scope(scope), asked, after_cursor(_FINDING_ORDER, newest)])
    sql = newest_sql("body", where.sql, _FINDING_ORDER)
    with open_duckdb(data / "archive") as connection:
        rows = connection.execute(sql, [paths, *where.values, newest.wanted]).fetchall()
    return [msgspec.json.decode(body, type=Finding) for (body,) in rows]


def _is_asked(query: FindingQuery, one: Finding) -> bool:
    return one.key == query.key if query.key else one.rule_id == query.rule_id


def _finding_partition(one: Finding) -> Partition:
    return Partition(one.realm, one.layer, day_of(one.received))


def _finding_key(one: Finding) -> Key:
    return one.at, one.offset, one.finding_id
