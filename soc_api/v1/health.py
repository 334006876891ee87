"""Health: the center's own processes, how far each stage has come, and what overload has cost."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_api.services import Health
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/health", tags=["health"])


@router.get("", responses=answers(Health))
def read_health(request: Request, session: Annotated[Session, needs(Right.HEALTH_READ)]) -> Response:
    """The center's health now."""
    return json_answer(services_of(request).health())
