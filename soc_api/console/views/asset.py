"""One asset: what it was seen as, what it is linked to, the way to its events and alerts, and what people say of it."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse

from soc_api.console.console import Console
from soc_api.console.text import query_value
from soc_api.rights import needs
from soc_api.v1.assets import LINKS, AssetChange, describe_asset, find_asset
from soc_model.asset import Asset, AssetKind
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/assets/{asset_id}", include_in_schema=False)

Reader = Annotated[Session, needs(Right.ASSETS_READ)]
Worker = Annotated[Session, needs(Right.ASSETS_WORK)]
#: The columns of events in which a name of a kind stands.
COLUMNS: dict[AssetKind, tuple[str, ...]] = {
    AssetKind.HOST: ("host.name",),
    AssetKind.USER: ("user.name",),
    AssetKind.ADDRESS: ("source.ip", "destination.ip", "host.name"),
    AssetKind.EXTERNAL: ("source.ip", "destination.ip", "host.name"),
    AssetKind.DOMAIN: ("url.domain",),
}


@router.get("")
def asset_page(request: Request, session: Reader, asset_id: str) -> Response:
    """The page."""
    detail = find_asset(request, session, asset_id, LINKS)
    console: Console = request.app.state.console
    return console.page(request, "asset.html", session, detail=detail, events_query=events_query(detail.asset))


@router.post("")
async def change_asset(request: Request, session: Worker, asset_id: str) -> Response:
    """Say what the asset is, and show it as it is then."""
    # Read by hand: FastAPI takes an empty field of a form for one that was not sent, and then nothing could be cleared.
    form = await request.form()
    try:
        change = AssetChange.model_validate(dict(form))
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error
    await run_in_threadpool(describe_asset, request, session, asset_id, change)
    return RedirectResponse(f"/assets/{asset_id}", status_code=303)


def events_query(asset: Asset) -> str:
    """What finds the events of an asset by every name it is known under."""
    if asset.kind is AssetKind.SERVICE:
        address, port = next(iter(asset.addresses), ""), asset.name.rpartition(":")[2]
        return f"destination.ip:{query_value(address)} AND destination.port:{port}"
    terms = [f"{column}:{query_value(name)}" for column in COLUMNS[asset.kind] for name in asset.names]
    return " OR ".join(terms)
