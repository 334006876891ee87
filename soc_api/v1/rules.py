"""Rules: have them read again from disk. What came of it stands under health."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from soc_api.access import actor_of, services_of
from soc_api.answers import problem_answers
from soc_api.rights import needs
from soc_model.audit import Act
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/rules", tags=["rules"])


@router.post("/reload", status_code=202, responses=problem_answers())
def reload_rules(request: Request, session: Annotated[Session, needs(Right.RULES_RELOAD)]) -> Response:
    """Ask that the rules are read again; they are exchanged at a batch boundary, if they are others."""
    services = services_of(request)
    services.reload_rules(session.person)
    services.state.audit.record(Act.RULES_RELOADED, actor_of(request, session), "rules", services.now())
    return Response(status_code=202)
