"""Threat-intelligence indicators: the feeds in force, what is known of a value, and a feed's removal."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from soc_api.access import actor_of, services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_model.audit import Act
from soc_model.indicator import Feed, Indicator
from soc_model.job import Job
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/indicators", tags=["indicators"])
Reader = Annotated[Session, needs(Right.INDICATORS_READ)]
Manager = Annotated[Session, needs(Right.INDICATORS_MANAGE)]
Value = Annotated[str, Query(min_length=1, max_length=2048)]


@router.get("", responses=answers(list[Indicator]))
def search_indicators(request: Request, session: Reader, value: Value) -> Response:
    """Every indicator that a record with this value would meet; ended ones too."""
    return json_answer(list(services_of(request).indicators.search(value)))


@router.get("/feeds", responses=answers(list[Feed]))
def list_feeds(request: Request, session: Reader) -> Response:
    """The feeds in force, with their counts."""
    return json_answer(list(services_of(request).indicators.feeds()))


@router.delete("/feeds/{name}", status_code=202, responses=answers(Job))
def remove_feed(request: Request, session: Manager, name: str) -> Response:
    """Ask that all indicators of a feed are removed; the job that does it."""
    return json_answer(remove(request, session, name), 202)


def remove(request: Request, session: Session, name: str) -> Job:
    """The removal asked for and recorded."""
    services = services_of(request)
    job = services.indicators.remove(name, session.person)
    services.state.audit.record(Act.INDICATORS_REMOVED, actor_of(request, session), name, services.now())
    return job
