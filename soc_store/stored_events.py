"""Reads sealed events back as their sources sent them, for whoever decides them anew (a backtest, a hunt).

Comes in: a scope, a span of event time, the logsources that matter. Goes out: blocks of events of one source and
decoder. The one thing to know: segments are read one by one, oldest first; one that a compaction or retention takes
away meanwhile raises ``Gone``, because what was read of it already cannot be told from what replaced it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from soc_model.layer import Realm
from soc_model.scope import Scope
from soc_model.source import Logsource
from soc_store.locked_duckdb import open_duckdb
from soc_store.manifest import ManifestReader
from soc_store.manifest_entry import Segment
from soc_store.search_predicate import Where, all_of, in_scope

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = 500  # in one block: about a journal batch, so that what is made of them stays in the CPU's cache
_COLUMNS = 'event_id, "@timestamp", source_id, decoder, layer, unit, realm, raw, raw_binary'


class Gone(Exception):
    """A segment is not there any more; read again from the beginning."""


class Kind(NamedTuple):
    """What events that are read back together have in common."""

    source_id: str
    decoder: str
    layer: str
    unit: str
    realm: str


class StoredBlock(NamedTuple):
    """Events of one kind: parallel lists in the order of the segment."""

    kind: Kind
    event_ids: list[str]
    times: list[int]
    raws: list[bytes]


class StoredEvents:
    """The sealed events of a scope and span that carry one of ``logsources`` (empty: any)."""

    def __init__(
        self, archive: Path, scope: Scope, since: int, until: int, logsources: Sequence[Logsource] = ()
    ) -> None:
        self._archive, self._until = archive, until
        span = Where('"@timestamp" >= ? AND "@timestamp" < ?', [since, until])
        self._where = all_of([*in_scope(scope), span, _carries(logsources)])
        self.segments = _segments(archive, scope, since, until)
        self.rows = sum(segment.rows for _, segment in self.segments)

    def blocks(self, most: int | None = None) -> Iterator[tuple[int, StoredBlock]]:
        """Pairs of how many of ``rows`` lie behind, and the next block; ``most`` rows of each source and decoder of a
        segment where it is given. Raises ``Gone``."""
        behind = 0
        if not self.segments:
            return
        with open_duckdb(self._archive) as connection:
            for realm, segment in self.segments:
                for block in self._read(connection, self._archive / realm / segment.file, most):
                    yield behind, block
                behind += segment.rows

    def _read(self, connection: "DuckDBPyConnection", path: Path, most: int | None) -> Iterator[StoredBlock]:
        sampled = "" if most is None else f" QUALIFY row_number() OVER (PARTITION BY source_id, decoder) <= {most:d}"
        # Ordered, so that rows of one source and decoder lie together; the columns are our own.
        asked = f"SELECT {_COLUMNS} FROM read_parquet(?) WHERE {self._where.sql}"  # noqa: S608
        sql = f"{asked}{sampled} ORDER BY source_id, decoder, unit"
        try:
            result = connection.execute(sql, [[str(path.resolve())], *self._where.values])
            while rows := result.fetchmany(ROWS):
                yield from _blocks(rows)
        except Exception as error:
            if path.exists():
                raise
            raise Gone(str(path)) from error


def _blocks(rows: Sequence[tuple[Any, ...]]) -> Iterator[StoredBlock]:
    """The rows by kind, which changes seldom."""
    block: StoredBlock | None = None
    for event_id, at, source_id, decoder, layer, unit, realm, text, binary in rows:
        kind = Kind(source_id, decoder, layer, unit or "", realm)
        if block is None or block.kind != kind:
            if block is not None:
                yield block
            block = StoredBlock(kind, [], [], [])
        block.event_ids.append(event_id)
        block.times.append(at)
        block.raws.append((text or "").encode() if binary is None else bytes(binary))
    if block is not None:
        yield block


def _segments(archive: Path, scope: Scope, since: int, until: int) -> list[tuple[Realm, Segment]]:
    found: list[tuple[Realm, Segment]] = []
    with ExitStack() as stack:
        for realm in sorted(scope.realms):
            try:
                manifest = ManifestReader(archive / realm)
            except FileNotFoundError:
                continue
            stack.callback(manifest.close)
            found += [(realm, segment) for segment in manifest.by_time(since, until)]
    return sorted(found, key=lambda pair: pair[1].min_time)


def _carries(logsources: Sequence[Logsource]) -> Where:
    """Rows whose logsource one of these covers; all rows for none."""
    if not logsources:
        return Where("TRUE", [])
    ways = [_covered(one) for one in logsources]
    return Where(" OR ".join(f"({way.sql})" for way in ways), [value for way in ways for value in way.values])


def _covered(logsource: Logsource) -> Where:
    stated = {"product": logsource.product, "category": logsource.category, "service": logsource.service}
    parts = [Where(f"{name} = ?", [value]) for name, value in stated.items() if value]
    return all_of(parts) if parts else Where("TRUE", [])
