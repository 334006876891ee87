"""Indicators: the feeds in force with their age, ends and hits, and a search for one value."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from detection_rules.indicator_finding import rule_ids
from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.rights import needs
from soc_api.v1.indicators import remove
from soc_model.problem import Problem
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/indicators", include_in_schema=False)
Reader = Annotated[Session, needs(Right.INDICATORS_READ)]
Manager = Annotated[Session, needs(Right.INDICATORS_MANAGE)]


@router.get("")
def indicators_page(request: Request, session: Reader, value: Annotated[str, Query(max_length=2048)] = "") -> Response:
    """The page; with a value also what is known of it."""
    services = services_of(request)
    health, problem = services.health(), ""
    try:
        feeds = list(services.indicators.feeds())
        known = list(services.indicators.search(value)) if value else []
    except Problem as wrong:
        feeds, known, problem = [], [], str(wrong)
    console: Console = request.app.state.console
    return console.page(
        request,
        "indicators.html",
        session,
        rows=[(feed, _hits(health.found, feed.name)) for feed in feeds],
        value=value,
        known=known,
        problem=problem or health.indicators_problem,
        in_force=health.indicators,
    )


@router.post("/feeds/{name}/remove")
def remove_feed(request: Request, session: Manager, name: str) -> Response:
    """Ask that a feed is removed."""
    remove(request, session, name)
    return RedirectResponse("/indicators", status_code=303)


def _hits(found: dict[str, dict[str, int]], feed: str) -> int:
    """How many findings its indicators have had since triage began."""
    return sum(found.get(rule_id, {}).get("findings", 0) for rule_id in rule_ids(feed))
