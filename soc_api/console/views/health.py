"""Health: the way of the data through the center, how far each stage is behind, and its processes."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.console.words import N_
from soc_api.rights import needs
from soc_api.services import Health
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/health", include_in_schema=False)

SILENT_US = 5_000_000


@router.get("")
def health_page(request: Request, session: Annotated[Session, needs(Right.HEALTH_READ)]) -> Response:
    """The page."""
    services, console = services_of(request), request.app.state.console
    assert isinstance(console, Console)
    health, now = services.health(), services.now()
    silent = {each.name for each in health.processes if each.pid is None or now - each.last_seen > SILENT_US}
    return console.page(request, "health.html", session, health=health, stages=stages(health), silent=silent)


def stages(health: Health) -> list[dict[str, Any]]:
    """The four stages with their offset and how many batches each is behind the one that feeds it."""
    # Gauges are up to a second old: what was detected was in the journal, whatever collect last said.
    journal, outcomes = max(health.journal_offset, health.outcome_offset), health.outcome_offset
    return [
        {"name": N_("Journal"), "offset": journal, "behind": 0},
        {"name": N_("Detection"), "offset": outcomes, "behind": max(0, journal - outcomes)},
        {"name": N_("Triage"), "offset": health.triage_offset, "behind": max(0, outcomes - health.triage_offset)},
        {"name": N_("Archive"), "offset": health.archive_offset, "behind": max(0, outcomes - health.archive_offset)},
    ]
