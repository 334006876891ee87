"""Sources: what each has sent and what of it was lost."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_model.fact import Fact
from soc_model.right import Right
from soc_model.session import Session
from soc_store.source_report import SourceReport, facts

router = APIRouter(prefix="/sources", tags=["sources"])


@router.get("", responses=answers(list[SourceReport]))
def list_sources(request: Request, session: Annotated[Session, needs(Right.SOURCES_READ)]) -> Response:
    """Every source in the reader's scope, with its counters."""
    return json_answer(list(services_of(request).sources(session.scope)))


@router.get("/facts", responses=answers(list[Fact]))
def list_facts(request: Request, session: Annotated[Session, needs(Right.SOURCES_READ)]) -> Response:
    """What is known of each source in the reader's scope, as of when and until when; unknown is a value."""
    services = services_of(request)
    return json_answer(facts(services.sources(session.scope), services.now()))
