"""``/metrics`` for Prometheus: for a person who may read health, and on loopback for whoever knows the metrics token.

What a person may not read elsewhere is not in it: sources only with ``sources.read``, alerts only with ``alerts.read``,
both in the person's own scope.
"""

import ipaddress
from collections.abc import Iterator
from hmac import compare_digest
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from soc_api.access import digest, services_of
from soc_api.exposition import MEDIA_TYPE, Family, exposition
from soc_api.metrics import alert_family, center_families, source_families
from soc_api.rights import RightNeeded
from soc_api.services import Reader, Services
from soc_model.alert import AlertState
from soc_model.layer import Realm
from soc_model.right import Right
from soc_store.state import AlertFilter

router = APIRouter(prefix="/metrics", include_in_schema=False)

OPEN = (AlertState.NEW, AlertState.ACKNOWLEDGED)
BEARER = "bearer "


class RightOrToken(RightNeeded):
    """The right, or the metrics token of this center (``Authorization: Bearer``) from loopback."""

    def __call__(self, request: Request) -> Reader:  # type: ignore[override]
        """Who reads; raises NotSignedIn, NotAllowed, or 401 for a token that is not ours or not from here."""
        header = request.headers.get("authorization", "")
        if header[: len(BEARER)].lower() == BEARER:
            return _scraper(request, header[len(BEARER) :].strip())
        session = super().__call__(request)
        return Reader(scope=session.scope, rights=session.rights)


def _scraper(request: Request, token: str) -> Reader:
    scraper = services_of(request).scraper
    if scraper is None or not _from_here(request) or not compare_digest(digest(token), scraper.token_sha256):
        raise HTTPException(
            401, "no such metrics token, or not from this machine", headers={"WWW-Authenticate": "Bearer"}
        )
    return scraper.reader


def _from_here(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


@router.get("")
def read_metrics(request: Request, reader: Annotated[Reader, Depends(RightOrToken(Right.HEALTH_READ))]) -> Response:
    """The numbers now."""
    return Response(exposition(_families(services_of(request), reader)), media_type=MEDIA_TYPE)


def _families(services: Services, reader: Reader) -> Iterator[Family]:
    yield from center_families(services.health(), services.now(), services.version)
    if Right.SOURCES_READ in reader.rights:
        yield from source_families(services.sources(reader.scope))
    if Right.ALERTS_READ in reader.rights:
        realms = [realm for realm in Realm if realm in reader.scope.realms]
        counts = {realm: AlertFilter(states=OPEN, realms=(realm,)) for realm in realms}
        yield alert_family({realm: services.state.counts(reader.scope, q).by_level for realm, q in counts.items()})
