"""A new secret for one-time codes on its way to a device: sealed before it is kept, opened to be shown and proved."""

import msgspec
from fastapi import HTTPException

from soc_api.one_time_code import new_secret, secret_of
from soc_api.services import Services
from soc_model.person import Enrolment

OVER = "the link was used, is older than 15 minutes, or never was one"


def sealed_secret(services: Services, person_id: int) -> str:
    """A fresh secret of a person as the store keeps it."""
    return services.box.seal(new_secret(), secret_of(person_id))


def under_way(services: Services, token_sha256: str) -> Enrolment:
    """The enrolment of a token with its secret to be read; raises 410 when it is over."""
    found = services.state.enrolments.under_way(token_sha256, services.now())
    secret = services.box.open(found.totp_secret, secret_of(found.person_id)) if found else None
    if found is None or secret is None:
        raise HTTPException(410, OVER)
    return msgspec.structs.replace(found, totp_secret=secret)
