"""The audit record (审计记录), for the audit administrator only; that it was read stands in it too."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from soc_api.access import actor_of, services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_api.timepoint import parse_timepoint
from soc_api.v1.parameters import ShortText, TimeText
from soc_model.audit import Act, AuditEntry, AuditFilter
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditParameters(BaseModel):
    """Which entries; ``before`` is the number of the last one of the page before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: ShortText = ""
    act: Act | None = None
    since: TimeText = ""
    until: TimeText = ""
    before: Annotated[int | None, Field(ge=1, le=1 << 62)] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100

    def filter(self, now: int) -> AuditFilter:
        """The same for the store; raises Problem for what is not a time."""
        return AuditFilter(
            person=self.person,
            act=self.act,
            since=parse_timepoint(self.since, "since", now),
            until=parse_timepoint(self.until, "until", now),
            before_seq=self.before,
            limit=self.limit,
        )


@router.get("", responses=answers(list[AuditEntry], 400, 422))
def read_audit(
    request: Request,
    session: Annotated[Session, needs(Right.AUDIT_READ)],
    parameters: Annotated[AuditParameters, Query()],
) -> Response:
    """The newest entries under a filter."""
    return json_answer(entries(request, session, parameters.filter(services_of(request).now())))


def entries(request: Request, session: Session, wanted: AuditFilter) -> list[AuditEntry]:
    """What is read, after it was recorded that it is."""
    services = services_of(request)
    asked = {"person": wanted.person, "act": wanted.act or ""}
    stated = {name: value for name, value in asked.items() if value}
    services.state.audit.record(Act.AUDIT_READ, actor_of(request, session), "audit", services.now(), **stated)
    return services.state.audit.entries(wanted)
