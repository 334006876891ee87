"""Sources: what each is, what it has sent, and first of all what of it was lost."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.console.words import LOSSES
from soc_api.rights import needs
from soc_model.right import Right
from soc_model.session import Session
from soc_store.source_report import SourceReport

router = APIRouter(prefix="/sources", include_in_schema=False)

#: Transports that cannot resume: what was sent while collect was down is gone.
AT_MOST_ONCE = frozenset({"syslog", "syslog_udp", "syslog_tcp", "snmp_trap", "netflow"})
#: Counted, but nothing is missing from the archive.
HARMLESS = frozenset({"redelivered", "time_flagged", "sightings_capped", "assets_capped"})


@router.get("")
def sources_page(request: Request, session: Annotated[Session, needs(Right.SOURCES_READ)]) -> Response:
    """The page; a source that loses something stands first."""
    services = services_of(request)
    reports = {report.source_id: report for report in services.sources(session.scope)}
    configured = [each for each in services.source_settings() if session.scope.sees(each.unit, each.realm)]
    rows = [(source, reports.get(source.id), losses(reports.get(source.id))) for source in configured]
    rows.sort(key=lambda row: (not any(name not in HARMLESS for name in row[2]), row[0].name))
    console: Console = request.app.state.console
    return console.page(
        request,
        "sources.html",
        session,
        rows=rows,
        at_most_once=AT_MOST_ONCE,
        harmless=HARMLESS,
        totals=_totals(reports),
    )


def losses(report: SourceReport | None) -> dict[str, int]:
    """The counters of loss that are not zero, in the order in which they are shown."""
    if report is None:
        return {}
    counted = {name: getattr(report, name, 0) or report.counters.get(name, 0) for name in LOSSES}
    return {name: count for name, count in counted.items() if count}


def _totals(reports: dict[str, SourceReport]) -> dict[str, Any]:
    return {
        "events": sum(report.events for report in reports.values()),
        "raw_bytes": sum(report.raw_bytes for report in reports.values()),
        "findings": sum(report.findings for report in reports.values()),
        "lossy": sum(any(name not in HARMLESS for name in losses(report)) for report in reports.values()),
    }
