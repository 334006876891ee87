"""The assets of the center in the state database: folded from sightings, described by people, read in a scope.

Reads of rows that carry a unit and a realm take the Scope first. Writes are short and take turns.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Engine

from soc_model.asset import Asset, Bucket, Changes, Known, LinkKey
from soc_model.layer import Realm
from soc_model.scope import Scope
from soc_store.asset_query import AssetCounts, AssetDetail, AssetFilter, AssetPage, FoldCursor
from soc_store.asset_reading import (
    CAPPED,
    read_asset,
    read_counts,
    read_detail,
    read_folded,
    read_known,
    read_made,
    read_page,
)
from soc_store.asset_writing import write_described, write_fold, write_looked_at
from soc_store.manifest import Partition
from soc_store.migration import open_current
from soc_store.state_database import writing


class Assets:
    """The assets in a state database; safe to use from many threads and processes, folded by one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Assets":
        """The assets in the state at ``url``; ``Problem`` when that is of another revision or is something else."""
        return cls(open_current(url))

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def assets(self, scope: Scope, query: AssetFilter, limit: int = 100, cursor: str | None = None) -> AssetPage:
        """Up to ``limit`` assets, the one seen last first; ``Problem`` for a bad cursor."""
        with self._engine.begin() as connection:
            return read_page(connection, scope, query, limit, cursor)

    def asset(self, scope: Scope, asset_id: str) -> Asset | None:
        """One asset, ``None`` when there is none or the scope does not see it."""
        with self._engine.begin() as connection:
            return read_asset(connection, scope, asset_id)

    def asset_detail(self, scope: Scope, asset_id: str, links: int = 200) -> AssetDetail | None:
        """One asset with up to ``links`` of its links, ``None`` when the scope does not see it."""
        with self._engine.begin() as connection:
            return read_detail(connection, scope, asset_id, links)

    def asset_counts(self, scope: Scope, query: AssetFilter) -> AssetCounts:
        """How many assets there are under a filter."""
        with self._engine.begin() as connection:
            return read_counts(connection, scope, query)

    def describe(self, scope: Scope, asset_id: str, change: Mapping[str, str], person: str, now: int) -> Asset | None:
        """The asset with these fields of ``Described`` changed, ``None`` when the scope does not see it.

        Who changed what and when is kept.
        """
        with writing(self._engine) as connection:
            return write_described(connection, scope, asset_id, change, person=person, now=now)

    def capped(self) -> dict[str, int]:
        """By source: how many times something was no asset or link because the source had no room for more."""
        return {bucket.source_id: n for bucket, n in self._made().items() if bucket.kind == CAPPED}

    def made(self) -> dict[Bucket, int]:
        """How many assets and links each source has brought, by kind."""
        return {bucket: n for bucket, n in self._made().items() if bucket.kind != CAPPED}

    def folded(self, realm: Realm) -> tuple[int, dict[Partition, FoldCursor]]:
        """The last segment of sightings looked at, and by partition the last row folded."""
        with self._engine.begin() as connection:
            return read_folded(connection, realm)

    def known(self, ids: Collection[str], links: Collection[LinkKey]) -> Known:
        """What is kept of these assets and links."""
        with self._engine.begin() as connection:
            return read_known(connection, ids, links)

    def commit_fold(self, changes: Changes, partition: Partition, cursor: FoldCursor, after: FoldCursor) -> None:
        """Write what the rows behind ``after`` up to ``cursor`` came to, with the cursor, all or nothing.

        ``Problem`` when ``after`` is not the stored cursor: then nothing is written, so nothing counts twice.
        """
        with writing(self._engine) as connection:
            write_fold(connection, changes, partition, cursor, after)

    def looked_at(self, realm: Realm, sequence: int) -> None:
        """Remember that every segment of sightings at or below ``sequence`` is folded whole."""
        with writing(self._engine) as connection:
            write_looked_at(connection, realm.value, sequence)

    def _made(self) -> dict[Bucket, int]:
        with self._engine.begin() as connection:
            return read_made(connection)
