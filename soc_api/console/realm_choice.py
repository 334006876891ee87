"""Which realm a page shows where its URL names none."""

from fastapi import Request

from soc_api.access import services_of
from soc_model.layer import Realm

ALL = "all"


def realm_of(request: Request, wanted: str) -> str:
    """The realm named, or ``all``; where none is, the usual one."""
    return wanted if wanted in (ALL, *Realm) else usual_realm(request)


def stated(request: Request, realm: str) -> str:
    """The realm as it stands in the URL: empty for the usual one."""
    return "" if realm == usual_realm(request) else realm


def usual_realm(request: Request) -> str:
    """Live; in evaluation all, because the drill is what is being tried out."""
    return ALL if services_of(request).evaluation else Realm.LIVE.value


def realms_in(realm: str) -> tuple[Realm, ...]:
    """The same for a store; empty means every realm."""
    return () if realm == ALL else (Realm(realm),)
