"""What each source has sent and what of it was lost or odd: journal counters, counts of sealed rows, unsealed heads.

Needs neither DuckDB nor a scan: counts commit with the segments they count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from soc_model.fact import Fact
from soc_model.layer import Layer, Realm
from soc_model.outcome import Stat
from soc_model.scope import Scope
from soc_model.source import Source
from soc_store.archive_view import ArchiveView, read_view
from soc_store.journal import JournalReader
from soc_store.manifest import Partition

_SUMMED = (
    "events",
    "raw_bytes",
    "unparsed",
    "truncated",
    "time_flagged",
    "quarantined",
    "findings",
    "sightings_capped",
)
_HIGHEST = ("last_received", "lag_max_s")


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One source: what came of it since the first start. ``counters`` are collect's own (torn, refused ...).

    ``last_received`` is 0 for a source that never sent; ``lag_max_s`` the largest received minus event time;
    ``last_problem`` place and reason of the last record that could not be parsed.
    """

    source_id: str
    layer: Layer
    unit: str
    realm: Realm
    events: int = 0
    raw_bytes: int = 0
    unparsed: int = 0
    truncated: int = 0
    time_flagged: int = 0
    quarantined: int = 0
    findings: int = 0
    sightings_capped: int = 0
    last_received: int = 0
    lag_max_s: float = 0.0
    last_problem: str = ""
    counters: dict[str, int] = {}


def source_reports(data: Path, scope: Scope, sources: Sequence[Source]) -> list[SourceReport]:
    """One report for each of ``sources`` that the scope sees, from the data folder as it is now."""
    seen = [source for source in sources if scope.sees(source.unit, source.realm)]
    realms = [realm for realm in Realm if realm in scope.realms]
    stats = read_view(data, realms, lambda view: [one for one in _stats(view) if scope.sees(one.unit, one.realm)])
    counters = _counters(data)
    return [_report(source, stats, counters.get(source.id, {})) for source in seen]


def with_counts(reports: Iterable[SourceReport], name: str, counts: Mapping[str, int]) -> list[SourceReport]:
    """The reports with one more counter, by source."""
    return [
        msgspec.structs.replace(report, counters={**report.counters, name: counts[report.source_id]})
        if report.source_id in counts
        else report
        for report in reports
    ]


def facts(reports: Iterable[SourceReport], now: int, believed_s: int = 300) -> list[Fact]:
    """``source.last_received`` of each source, as of ``now``; unknown (``None``) for one that never sent."""
    return [
        Fact(
            name="source.last_received",
            subject=report.source_id,
            value=report.last_received or None,
            as_of=now,
            stale_after=now + believed_s * 1_000_000,
            origin="source_report",
        )
        for report in reports
    ]


def _stats(view: ArchiveView) -> Iterator[Stat]:
    for manifest in view.manifests.values():
        yield from manifest.stats()
    for head in view.heads():
        for stat in head.stats:
            if not view.is_sealed(Partition(stat.realm, stat.layer, stat.day), head.offset):
                yield stat


def _counters(data: Path) -> dict[str, dict[str, int]]:
    reader = JournalReader(data / "journal")
    try:
        return reader.counters()
    finally:
        reader.close()


def _report(source: Source, stats: Sequence[Stat], counters: dict[str, int]) -> SourceReport:
    own = [stat for stat in stats if stat.source_id == source.id]
    numbers = {name: sum(getattr(stat, name) for stat in own) for name in _SUMMED}
    numbers |= {name: max((getattr(stat, name) for stat in own), default=0) for name in _HIGHEST}
    return SourceReport(
        source_id=source.id,
        layer=source.layer,
        unit=source.unit,
        realm=source.realm,
        last_problem=next((stat.last_problem for stat in reversed(own) if stat.last_problem), ""),
        counters=counters,
        **numbers,
    )
