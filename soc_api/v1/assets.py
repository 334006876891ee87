"""Assets: found by filter, read one by one with their links, and described by people."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.console.text import hidden
from soc_api.rights import needs
from soc_api.v1.parameters import PageParameters, ShortText, Stated
from soc_model.asset import Asset, AssetClass, AssetKind, AssetState, Importance
from soc_model.layer import Layer, Realm
from soc_model.right import Right
from soc_model.session import Session
from soc_store.asset_query import AssetCounts, AssetDetail, AssetFilter, AssetPage

router = APIRouter(prefix="/assets", tags=["assets"])
Reader = Annotated[Session, needs(Right.ASSETS_READ)]
Worker = Annotated[Session, needs(Right.ASSETS_WORK)]
LINKS = 200


class AssetParameters(PageParameters):
    """The filters of the asset list; values of a repeated one are alternatives."""

    kind: Annotated[tuple[AssetKind, ...], Stated] = ()
    state: Annotated[tuple[AssetState, ...], Stated] = ()
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    realm: Annotated[tuple[Realm, ...], Stated] = ()
    unit: Annotated[tuple[ShortText, ...], Stated] = ()
    text: Annotated[ShortText, Field(description="part of a name or address")] = ""
    of_hosts: Annotated[bool, Field(description="also addresses that a host is known to have")] = False

    def filter(self) -> AssetFilter:
        """The same for the store."""
        return AssetFilter(
            kinds=self.kind,
            states=self.state,
            layers=self.layer,
            realms=self.realm,
            units=self.unit,
            text=self.text,
            of_hosts=self.of_hosts,
        )


def _shown(text: str) -> str:
    """What people write with plain line ends; ``ValueError`` for characters that nobody would see."""
    text = text.replace("\r\n", "\n")
    if any(hidden(each) for each in text if each not in "\n\t"):
        raise ValueError("holds characters that are not visible")
    return text


ShownText = Annotated[str, Field(max_length=200), AfterValidator(_shown)]


class AssetChange(BaseModel):
    """What people say of an asset; what is not stated stays as it is."""

    model_config = ConfigDict(extra="forbid")

    state: AssetState | None = None
    owner: ShownText | None = None
    asset_class: AssetClass | None = None
    importance: Importance | None = None
    mlps_object: Annotated[ShownText | None, Field(description="MLPS 2.0 object (等级保护对象)")] = None
    note: Annotated[str, Field(max_length=4000), AfterValidator(_shown)] | None = None


@router.get("", responses=answers(AssetPage, 400, 422))
def list_assets(request: Request, session: Reader, parameters: Annotated[AssetParameters, Query()]) -> Response:
    """A page of assets, the one seen last first."""
    assets = services_of(request).assets
    page = assets.assets(session.scope, parameters.filter(), parameters.limit, parameters.cursor or None)
    return json_answer(page)


@router.get("/counts", responses=answers(AssetCounts, 422))
def count_assets(request: Request, session: Reader, parameters: Annotated[AssetParameters, Query()]) -> Response:
    """How many assets there are under a filter, by kind and realm."""
    return json_answer(services_of(request).assets.asset_counts(session.scope, parameters.filter()))


@router.get("/{asset_id}", responses=answers(AssetDetail, 404, 422))
def read_asset(
    request: Request, session: Reader, asset_id: str, links: Annotated[int, Query(ge=0, le=1000)] = LINKS
) -> Response:
    """One asset with its links, the one seen last first."""
    return json_answer(find_asset(request, session, asset_id, links))


@router.patch("/{asset_id}", responses=answers(Asset, 404, 422))
def change_asset(request: Request, session: Worker, asset_id: str, change: AssetChange) -> Response:
    """Say what an asset is; answers with the asset as it is then. Who changed what is kept."""
    return json_answer(describe_asset(request, session, asset_id, change))


def find_asset(request: Request, session: Session, asset_id: str, links: int) -> AssetDetail:
    """The asset if the session sees it; raises 404 otherwise, as for one that is not there."""
    found = services_of(request).assets.asset_detail(session.scope, asset_id, links)
    if found is None:
        raise HTTPException(404, "no such asset")
    return found


def describe_asset(request: Request, session: Session, asset_id: str, change: AssetChange) -> Asset:
    """The asset after the change; raises 404 when the session does not see it."""
    services = services_of(request)
    stated = change.model_dump(exclude_none=True, mode="json")
    changed = services.assets.describe(session.scope, asset_id, stated, session.person, services.now())
    if changed is None:
        raise HTTPException(404, "no such asset")
    return changed
