"""Passwords: which are good enough, and their Argon2id hashes, made by two at a time at the most.

The rule follows GB/T 22239-2019 8.1.4.1 a) (身份鉴别信息应具有复杂度要求): long, or shorter and of several kinds.
The hash is RFC 9106's second recommended option: 64 MiB, 3 passes, 4 lanes. A flood of sign-ins may have two under way
and no more, so that it cannot take all memory; what comes beyond that is told to come again, not queued.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from soc_model.person import name_key
from soc_model.problem import Problem

AT_ONCE = 2
LONG, SHORT, MOST = 12, 8, 128
KINDS_WANTED = 3
COMMON = frozenset((Path(__file__).parent / "common_passwords.txt").read_text("ascii").split())
TOO_LONG = "may have 128 characters at the most"
TOO_WEAK = "needs 12 characters, or 8 with three of: small letters, capitals, digits, others"
HOLDS_NAME = "must not contain the user name"
COMMON_ONE = "is one of those that are tried first"


class Busy(Exception):
    """As many passwords as may be are being hashed already."""


class Hashing:
    """Hashes and checks passwords, for whoever has a turn."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        # Checked in place of a person's where there is none, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The Argon2id hash as PHC string."""
        return self._hasher.hash(_bytes(password))

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one kept; takes as long where none is."""
        try:
            right = self._hasher.verify(kept or self._nobody, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return right and kept is not None


class Passwords:
    """Gives turns at hashing; one for the whole app."""

    def __init__(self) -> None:
        self._hashing = Hashing()
        self._turns = BoundedSemaphore(AT_ONCE)

    @contextmanager
    def turn(self) -> Iterator[Hashing]:
        """One of the two turns; raises Busy at once when both are taken."""
        if not self._turns.acquire(blocking=False):
            raise Busy
        try:
            yield self._hashing
        finally:
            self._turns.release()


def check_password(password: str, name: str) -> None:
    """Raise Problem saying what is wrong with a password; it must not hold the name nor be a common one."""
    if len(password) > MOST:
        raise Problem("password", TOO_LONG)
    if len(password) < SHORT or (len(password) < LONG and kinds(password) < KINDS_WANTED):
        raise Problem("password", TOO_WEAK)
    if name and name_key(name) in name_key(password):
        raise Problem("password", HOLDS_NAME)
    if password.casefold() in COMMON or len(set(password)) < 4:
        raise Problem("password", COMMON_ONE)


def kinds(password: str) -> int:
    """How many of small letters, capitals, digits and others are in it."""
    small = any(each.islower() for each in password)
    capital = any(each.isupper() for each in password)
    digit = any(each.isdigit() for each in password)
    other = any(not (each.islower() or each.isupper() or each.isdigit()) for each in password)
    return small + capital + digit + other


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
