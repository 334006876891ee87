"""The archive counted by the events' ids against what the generator says it sent, and what its segments are like."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from bench.block import ID_PATTERN, LINES
from bench.load import Sent

SEAL_ROWS = 20_000


def count_archive(archive: Path, sent: Sent) -> dict[str, Any]:
    """How many events there are, how many ids are lost (went out, are not there), doubled, unknown or without id."""
    found = archived_blocks(archive)
    return compared(found.pop("blocks"), sent) | found


def compared(blocks: Mapping[int, int], sent: Sent) -> dict[str, Any]:
    """``blocks``: distinct lines in the archive by block."""
    out = {number: lines for number, (lines, went) in enumerate(zip(sent.lines, sent.out, strict=True)) if went}
    known = {number: blocks.get(number, 0) for number in out}
    unknown = sum(n for number, n in blocks.items() if number >= len(sent.lines))
    return {
        "sent": sum(sent.lines),
        "acknowledged_or_out": sum(out.values()),
        "unique_archived": sum(blocks.values()),
        "lost": sum(max(0, lines - known[number]) for number, lines in out.items()),
        "unknown": unknown + sum(max(0, known[number] - lines) for number, lines in out.items()),
    }


def archived_blocks(archive: Path) -> dict[str, Any]:
    """``blocks``: distinct ids by block; ``rows``, ``doubled`` (ids that are there more than once), ``without_id``."""
    files = event_files(archive)
    if not files:
        return {"blocks": {}, "rows": 0, "doubled": 0, "without_id": 0}
    with duckdb.connect(config={"threads": 2, "memory_limit": "10GB"}) as connection:
        connection.execute(
            f"""
            CREATE TEMP TABLE ids AS
            SELECT TRY_CAST(found.block AS BIGINT) * {LINES} + TRY_CAST(found.line AS BIGINT) AS id, count(*) AS n
            FROM (SELECT regexp_extract(raw, '{ID_PATTERN}', ['block', 'line']) AS found FROM read_parquet(?))
            GROUP BY id
            """,
            [files],
        )
        rows = connection.execute("SELECT coalesce(sum(n), 0) FROM ids").fetchone()
        doubled = connection.execute("SELECT count(*) FROM ids WHERE n > 1 AND id IS NOT NULL").fetchone()
        without = connection.execute("SELECT coalesce(sum(n), 0) FROM ids WHERE id IS NULL").fetchone()
        blocks = connection.execute(
            f"SELECT id // {LINES} AS block, count(*) FROM ids WHERE id IS NOT NULL GROUP BY block"
        ).fetchall()
    assert rows is not None and doubled is not None and without is not None
    return {
        "blocks": {int(block): int(n) for block, n in blocks},
        "rows": int(rows[0]),
        "doubled": int(doubled[0]),
        "without_id": int(without[0]),
    }


def event_files(archive: Path) -> list[str]:
    """The segments of events that the manifests name; files that a compaction replaced stay for a while."""
    found = []
    for manifest in sorted(archive.glob("*/manifest.db")):
        with closing(sqlite3.connect(f"{manifest.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT file FROM segment WHERE kind = 'events' ORDER BY sequence")
            found += [str(manifest.parent / file) for (file,) in rows]
    return found


def segments(archive: Path) -> dict[str, Any]:
    """How many segments of events were sealed, their rows, and how long the small ones were open."""
    files = event_files(archive)
    if not files:
        return {"segments": 0}
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        found = connection.execute(
            "SELECT count(*) AS n, (max(received) - min(received)) / 1e6 AS span FROM read_parquet(?, filename=true) "
            "GROUP BY filename ORDER BY n",
            [files],
        ).fetchall()
    rows = [int(n) for n, _ in found]
    small = [(int(n), round(float(span), 1)) for n, span in found if n < SEAL_ROWS]
    return {
        "segments": len(rows),
        "rows_min": rows[0],
        "rows_median": rows[len(rows) // 2],
        "rows_max": rows[-1],
        "below_20000_rows_and_their_seconds": small[:20],
        "below_20000": len(small),
    }
