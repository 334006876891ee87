"""People who may sign in, keys of systems that may ask, and who did something."""

import unicodedata
from typing import Literal

import msgspec

from soc_model.problem import Problem
from soc_model.right import Role

NAME_MOST = 40
_NAME_MARKS = "._-@"
LinkPurpose = Literal["evaluation", "setup", "reset"]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person (人员). ``name`` is empty until chosen at the first link; ``units=None`` is every unit.

    ``set_up`` is when password and one-time code were chosen, None while they are not.
    """

    id: int
    name: str
    roles: frozenset[Role]
    units: frozenset[str] | None
    created: int
    disabled: bool = False
    set_up: int | None = None
    last_sign_in: int | None = None
    password_at: int | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-in is checked against; never leaves the center. ``totp_step`` is the last one that was accepted."""

    person: Person
    password: str
    totp_secret: str
    totp_step: int


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has chosen at a link, until a code proves that the secret reached their device.

    ``password`` is the hash, empty where only the one-time code is enrolled anew.
    """

    person_id: int
    name: str
    password: str
    totp_secret: str
    expires: int
    failures: int = 0


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link that is still good, and whom it is for."""

    purpose: LinkPurpose
    person: Person | None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A system's key. ``prefix`` is the beginning of it, to be recognised by; ``last_used`` is to the hour."""

    id: int
    name: str
    prefix: str
    role: Role
    units: frozenset[str] | None
    created: int
    created_by: str
    expires: int
    revoked: int | None = None
    last_used: int | None = None


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something: a person, a key, or ``terminal`` and ``center`` for the command line and the center."""

    name: str
    person_id: int = 0
    address: str = ""


def name_key(name: str) -> str:
    """What two spellings of one name share (NFKC, case folded): names are unique by it."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def checked_name(name: str) -> str:
    """The name as it is kept; raises Problem where it is not letters, digits and ``. _ - @``, 2 to 40 of them."""
    name = unicodedata.normalize("NFC", name.strip())
    if not 2 <= len(name) <= NAME_MOST:
        raise Problem("name", f"must have 2 to {NAME_MOST} characters")
    if not all(each.isalnum() or each in _NAME_MARKS for each in name):
        raise Problem("name", "may have letters, digits and . _ - @ only")
    return name
