"""One-time codes by time (TOTP, RFC 6238), the picture that carries their secret to a phone, and recovery codes."""

import re
import secrets
from hashlib import sha256
from hmac import compare_digest

import pyotp
import segno

STEP_US = 30_000_000
RECOVERY_CODES = 8
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that are mistaken for one another
_GROUPS, _GROUP_LETTERS = 4, 4


def new_secret() -> str:
    """A fresh secret of 160 bits as base32."""
    return pyotp.random_base32()


def secret_of(person_id: int) -> str:
    """Whose a sealed secret is, as its box is told."""
    return f"one-time codes of {person_id}"


def fresh_step(code: str, secret: str, after: int, now: int) -> int | None:
    """The time step that a code is for: this one, the one before or the one after, and none up to ``after``."""
    wanted, totp, current = re.sub(r"\s", "", code), pyotp.TOTP(secret), now // STEP_US
    if not re.fullmatch(r"[0-9]{6}", wanted):
        return None
    found = [step for step in (current - 1, current, current + 1) if compare_digest(totp.generate_otp(step), wanted)]
    return next((step for step in found if step > after), None)


def secret_picture(secret: str, name: str, center: str) -> str:
    """A QR picture of the secret as a ``data:`` URI, drawn here: it never leaves the center."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=center)
    code = segno.make(uri, error="l", boost_error=False, micro=False)  # on a screen nothing is torn: larger modules
    return code.svg_data_uri(scale=5, border=3, dark="#0b0f16", light="#fff")


def grouped(secret: str) -> str:
    """The secret in groups of four, to be typed."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def new_recovery_codes() -> list[str]:
    """Eight fresh codes of 79 bits, each for one sign-in without the device."""
    return ["-".join(_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODES)]


def recovery_digest(person_id: int, code: str) -> str | None:
    """What the store knows a recovery code by; None for what cannot be one."""
    plain = re.sub(r"[\s-]", "", code).lower()
    if len(plain) != _GROUPS * _GROUP_LETTERS or not plain.isascii():
        return None
    return sha256(f"{person_id}:{plain}".encode()).hexdigest()


def _group() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS))
