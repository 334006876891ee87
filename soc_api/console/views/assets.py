"""The asset list: what the units have, as it was seen and as people say; the whole page, or what a filter changes."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from soc_api.access import services_of
from soc_api.console.console import Console, link
from soc_api.console.realm_choice import ALL, realm_of, realms_in, stated
from soc_api.rights import needs
from soc_api.v1.parameters import Stated
from soc_model.asset import AssetKind, AssetState
from soc_model.layer import Layer, Realm
from soc_model.right import Right
from soc_model.scope import Scope
from soc_model.session import Session
from soc_store.asset_query import AssetFilter

router = APIRouter(prefix="/assets", include_in_schema=False)

ROWS = 50
#: What is the units' own, shown where no kind is chosen; names on the internet are many, and nobody's here.
OWN = (AssetKind.HOST, AssetKind.USER, AssetKind.ADDRESS, AssetKind.SERVICE)


class AssetFields(BaseModel):
    """The fields of the filter bar as they stand in the URL; what is unknown there is not looked at."""

    text: Annotated[str, Field(max_length=200)] = ""
    kind: Annotated[tuple[AssetKind, ...], Stated] = ()
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    state: str = "all"
    unit: Annotated[str, Field(max_length=200)] = ""
    realm: str = ""
    cursor: Annotated[str, Field(max_length=1000)] = ""


Fields = Annotated[AssetFields, Query()]
Reader = Annotated[Session, needs(Right.ASSETS_READ)]


@dataclass(frozen=True, slots=True)
class AssetView:
    """A filter with its realm made definite."""

    fields: AssetFields
    realm: str

    @property
    def filter(self) -> AssetFilter:
        """The same for the store."""
        fields = self.fields
        return AssetFilter(
            kinds=fields.kind or OWN,
            states=(AssetState(fields.state),) if fields.state in tuple(AssetState) else (),
            layers=fields.layer,
            realms=realms_in(self.realm),
            units=(fields.unit,) if fields.unit else (),
            text=fields.text,
        )

    def url(self, path: str = "/assets", **changes: Any) -> str:
        """The list's address with these changes: shareable, without what is the default."""
        kept = self.fields.model_dump(exclude_defaults=True, exclude={"cursor"}, mode="json")
        return link(path, **{**kept, **changes})


def read_view(request: Request, fields: AssetFields) -> AssetView:
    """The view that the URL describes."""
    realm = realm_of(request, fields.realm)
    return AssetView(fields.model_copy(update={"realm": stated(request, realm)}), realm)


@router.get("")
def assets_page(request: Request, session: Reader, fields: Fields) -> Response:
    """The page; to htmx only what a change of filter changes, with the view's address for the history."""
    view = read_view(request, fields)
    part = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    console: Console = request.app.state.console
    return console.page(
        request,
        "assets_part.html" if part else "assets.html",
        session,
        headers={"HX-Replace-Url": view.url()} if part else {},
        view=view,
        **_list(request, session.scope, view),
        **_head(request, session.scope, view),
    )


@router.get("/rows")
def asset_rows(request: Request, session: Reader, fields: Fields) -> Response:
    """The next rows of the table."""
    view = read_view(request, fields)
    console: Console = request.app.state.console
    return console.page(request, "assets_rows.html", session, view=view, **_list(request, session.scope, view))


def _list(request: Request, scope: Scope, view: AssetView) -> dict[str, Any]:
    page = services_of(request).assets.assets(scope, view.filter, ROWS, view.fields.cursor or None)
    return {"assets": page.assets, "cursor": page.cursor}


def _head(request: Request, scope: Scope, view: AssetView) -> dict[str, Any]:
    assets, wanted = services_of(request).assets, view.filter
    # Each facet counts what choosing another of its values would give.
    counts = assets.asset_counts(scope, msgspec.structs.replace(wanted, kinds=()))
    elsewhere: dict[Realm, int] = {}
    if view.realm != ALL:
        everywhere = assets.asset_counts(scope, msgspec.structs.replace(wanted, realms=()))
        elsewhere = {realm: n for realm, n in everywhere.by_realm.items() if realm != view.realm}
    total = sum(counts.by_kind.get(kind, 0) for kind in wanted.kinds)
    return {"by_kind": counts.by_kind, "total": total, "elsewhere": elsewhere}
