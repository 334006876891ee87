"""API keys: made, listed and revoked by the security administrator; never with a key."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from soc_api.access import actor_of, services_of
from soc_api.answers import answers, json_answer
from soc_api.people import KEY_DAYS, make_key
from soc_api.rights import needs
from soc_model.person import ApiKey
from soc_model.right import Right, Role
from soc_model.session import Session

router = APIRouter(prefix="/keys", tags=["keys"])
Security = Annotated[Session, needs(Right.KEYS_MANAGE)]


class NewKey(BaseModel):
    """For which system, with what role, seeing which units (null: all), for how many days."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]
    role: Role = Role.EXTERNAL_SYSTEM
    units: frozenset[Annotated[str, Field(max_length=200)]] | None = None
    days: int = KEY_DAYS


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its token, shown this once."""

    key: ApiKey
    token: str


@router.get("", responses=answers(list[ApiKey]))
def list_keys(request: Request, session: Security) -> Response:
    """Every key there ever was, the newest first."""
    return json_answer(services_of(request).state.keys.all())


@router.post("", responses=answers(MadeKey, 400, 422))
def new_key(request: Request, session: Security, wanted: NewKey) -> Response:
    """A new key; sent as ``Authorization: Bearer fsk_…`` it needs neither cookie nor Origin."""
    key, token = make_key(request, session, name=wanted.name, role=wanted.role, units=wanted.units, days=wanted.days)
    return json_answer(MadeKey(key=key, token=token))


@router.post("/{key_id}/revoke", responses=answers(ApiKey, 400, 422))
def revoke_key(request: Request, session: Security, key_id: int) -> Response:
    """End a key at once."""
    services = services_of(request)
    return json_answer(services.state.keys.revoke(key_id, actor_of(request, session), services.now()))
