"""Audit: what was done, by whom, when and from where; found by person, act and time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from soc_api.access import services_of
from soc_api.console.console import Console, Viewer, link
from soc_api.console.span import read_span
from soc_api.rights import needs
from soc_api.v1.audit import entries
from soc_model.audit import Act, AuditFilter
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/audit", include_in_schema=False)

ROWS = 100
RANGE = "7d"


class AuditFields(BaseModel):
    """The fields of the filter bar as they stand in the URL; an act that is not known finds nothing special: all."""

    person: Annotated[str, Field(max_length=200)] = ""
    act: Annotated[str, Field(max_length=40)] = ""
    range: str = RANGE
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    before: Annotated[int | None, Field(ge=1, le=1 << 62)] = None

    def url(self, **changes: Any) -> str:
        """The page's address, without what is the default."""
        kept = self.model_dump(exclude_defaults=True, exclude={"before"}, mode="json")
        return link("/audit", **{**kept, **changes})


@router.get("")
def audit_page(
    request: Request,
    session: Annotated[Session, needs(Right.AUDIT_READ)],
    fields: Annotated[AuditFields, Query()],
) -> Response:
    """A page of the record, the newest first; that it was read is recorded once."""
    console, now = request.app.state.console, services_of(request).now()
    assert isinstance(console, Console)
    zone = Viewer.of(request).zone
    span = read_span(fields.range, fields.since, fields.until, now=now, zone=zone, default=RANGE)
    wanted = AuditFilter(
        person=fields.person,
        act=Act(fields.act) if fields.act in set(Act) else None,
        since=span.since,
        until=span.until,
        before_seq=fields.before,
        limit=ROWS,
    )
    rows = entries(request, session, wanted)
    older = fields.url(before=rows[-1].seq) if len(rows) == ROWS else ""
    return console.page(request, "audit.html", session, rows=rows, fields=fields, span=span, older=older)
