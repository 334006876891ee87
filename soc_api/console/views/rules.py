"""The rules: what was read and what is done with each, under a filter; the whole page, or what a filter changes."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from soc_api.access import services_of
from soc_api.console.console import Console, link
from soc_api.rights import needs
from soc_api.rule_list import Matter, RuleFilter, RuleSort, all_rows, counts, list_rules, live, products
from soc_api.v1.parameters import Stated
from soc_model.layer import Layer, Level
from soc_model.right import Right
from soc_model.rule_state import RuleOrigin, RuleState
from soc_model.session import Session

router = APIRouter(prefix="/rules", include_in_schema=False)

ROWS = 50
Reader = Annotated[Session, needs(Right.RULES_READ)]


class RuleFields(BaseModel):
    """The fields of the filter bar as they stand in the URL; what is unknown there is not looked at."""

    text: Annotated[str, Field(max_length=200)] = ""
    state: str = "all"
    level: Annotated[tuple[Level, ...], Stated] = ()
    origin: str = ""
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    product: Annotated[str, Field(max_length=200)] = ""
    matter: Annotated[tuple[Matter, ...], Stated] = ()
    sort: RuleSort = "found"
    cursor: Annotated[str, Field(max_length=20)] = ""


Fields = Annotated[RuleFields, Query()]


@dataclass(frozen=True, slots=True)
class RuleView:
    """A filter, and the addresses that lead to others."""

    fields: RuleFields

    @property
    def filter(self) -> RuleFilter:
        """The same for the list."""
        fields = self.fields
        return RuleFilter(
            text=fields.text,
            states=(RuleState(fields.state),) if fields.state in tuple(RuleState) else (),
            levels=fields.level,
            origins=(RuleOrigin(fields.origin),) if fields.origin in tuple(RuleOrigin) else (),
            layers=tuple(layer.value for layer in fields.layer),
            product=fields.product,
            matters=fields.matter,
        )

    def url(self, path: str = "/rules", **changes: Any) -> str:
        """The list's address with these changes: shareable, without what is the default."""
        kept = self.fields.model_dump(exclude_defaults=True, exclude={"cursor"}, mode="json")
        return link(path, **{**kept, **changes})


@router.get("")
def rules_page(request: Request, session: Reader, fields: Fields) -> Response:
    """The page; to htmx only what a change of filter changes, with the view's address for the history."""
    view, services = RuleView(fields), services_of(request)
    part = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    rows = all_rows(services.rules, live(session.scope, evaluation=services.evaluation), services.now())
    console: Console = request.app.state.console
    return console.page(
        request,
        "rules_part.html" if part else "rules.html",
        session,
        headers={"HX-Replace-Url": view.url()} if part else {},
        view=view,
        counted=counts(rows),
        products=products(rows),
        everything=len(rows),
        library=None if part else services.rules.library(),
        head=services.rules.catalogue.head(),
        **_list(request, session, view),
    )


@router.get("/rows")
def rule_rows(request: Request, session: Reader, fields: Fields) -> Response:
    """The next rows of the table."""
    view = RuleView(fields)
    console: Console = request.app.state.console
    return console.page(request, "rules_rows.html", session, view=view, **_list(request, session, view))


def _list(request: Request, session: Session, view: RuleView) -> dict[str, Any]:
    services = services_of(request)
    page = list_rules(
        services.rules,
        live(session.scope, evaluation=services.evaluation),
        view.filter,
        now=services.now(),
        sort=view.fields.sort,
        limit=ROWS,
        cursor=view.fields.cursor,
    )
    return {"rules": page.rules, "total": page.total, "cursor": page.cursor}
