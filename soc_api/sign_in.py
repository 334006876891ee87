"""Signing in: name, password and a one-time or recovery code; one answer for whatever of them is not right.

Every try is counted before the password is looked at; the same work is done for a name nobody has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import Request

from soc_api.access import IDLE_US, address_of, blank_session, digest, new_token, services_of
from soc_api.one_time_code import fresh_step, recovery_digest, secret_of
from soc_api.password import Passwords
from soc_api.services import Services
from soc_model.person import Credentials, Person
from soc_store.sign_ins import Proof, Try


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why not, as far as it may be told; ``until`` (µs) is when a locked name or address may try again."""

    why: Literal["wrong", "locked"]
    until: int = 0


def sign_in(request: Request, name: str, password: str, code: str) -> str | Refused:
    """The token of a new session; raises Busy."""
    token, started, now = new_token(), blank_session(request, idle=IDLE_US), services_of(request).now()
    store = services_of(request).state.sign_ins

    def accept(tried: Try, person_id: int, proof: Proof) -> bool:
        return store.accept(tried, person_id, proof, started, token_sha256=digest(token), now=now) is not None

    return _tried(request, name, password, code, accept) or token


def start_session(request: Request, person: Person) -> str:
    """The token of a session for somebody who has just proved password and code at their link."""
    services, token = services_of(request), new_token()
    started = blank_session(request, idle=IDLE_US)
    services.state.sign_ins.start(person, started, token_sha256=digest(token), now=services.now())
    return token


def proved_again(request: Request, name: str, password: str, code: str) -> bool | Refused:
    """Whether they are this person's password and code; asked again before what matters, counted like a sign-in."""
    store, now = services_of(request).state.sign_ins, services_of(request).now()
    refused = _tried(request, name, password, code, lambda tried, person, proof: store.prove(tried, person, proof, now))
    return refused if refused and refused.why == "locked" else refused is None


def _tried(
    request: Request, name: str, password: str, code: str, accept: Callable[[Try, int, Proof], bool]
) -> Refused | None:
    """None once name, password and code are right and ``accept`` takes the proof; a try that is not is a failed one."""
    services, address = services_of(request), address_of(request)
    store, now = services.state.sign_ins, services.now()
    with passwords_of(request).turn() as hashing:
        tried = store.attempt(name, address, now)
        if tried.locked_until:
            return Refused(why="locked", until=tried.locked_until)
        known = store.credentials(name)
        right = hashing.matches(known.password if known else None, password)
    proof = _proof(services, known, code) if known and right else None
    if known and proof and accept(tried, known.person.id, proof):
        return None
    store.failed(tried, known.person if known else None, address, now)
    return Refused(why="wrong")


def _proof(services: Services, known: Credentials, code: str) -> Proof | None:
    secret = services.box.open(known.totp_secret, secret_of(known.person.id))
    step = fresh_step(code, secret, known.totp_step, services.now()) if secret else None
    if step is not None:
        return Proof(step=step)
    recovery = recovery_digest(known.person.id, code)
    return Proof(recovery_sha256=recovery) if recovery else None


def passwords_of(request: Request) -> Passwords:
    """Who gives turns at hashing."""
    passwords = request.app.state.passwords
    assert isinstance(passwords, Passwords)
    return passwords
