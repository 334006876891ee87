"""Secrets sealed for the state: AES-256-GCM under a key that lies in a file outside the data directory and its backups.

What is sealed names its key and is bound to whose it is: moved to the row of another person it does not open.
"""

import base64
import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from soc_model.problem import Problem
from soc_store.durable import make_folder, publish

ALG = "A256GCM"
HEADING = "fengsui-secret-key 1"
KEY_BYTES = 32
NONCE_BYTES = 12


class SecretBox:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.key_id = sha256(b"fengsui-secret-key" + key).hexdigest()[:16]

    def seal(self, secret: str, of: str) -> str:
        """``secret`` as text to be kept; ``of`` says whose it is, and opening takes the same."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret.encode(), of.encode())
        return f"{ALG}:{self.key_id}:{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, of: str) -> str | None:
        """The secret; None for what was sealed with another key, for somebody else, or changed since."""
        alg, _, rest = sealed.partition(":")
        key_id, _, body = rest.partition(":")
        if (alg, key_id) != (ALG, self.key_id):
            return None
        try:
            raw = base64.b64decode(body, validate=True)
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], of.encode()).decode()
        except (ValueError, InvalidTag):
            return None


def open_box(path: Path, *, may_make: bool) -> SecretBox:
    """The box of the key in the file ``path``, made where it is missing and may be; ``Problem`` when it cannot be used.

    An empty file is somebody's word that the key is lost for good: a new one is written into it.
    """
    if (not path.exists() and may_make) or _is_empty(path):
        _make(path)
    if not path.exists():
        raise Problem(str(path), LOST)
    if path.stat().st_mode & 0o077:
        raise Problem(str(path), "others may read the key of the one-time codes: chmod 600 it")
    heading, _, body = path.read_text("ascii", "replace").strip().rpartition(" ")
    try:
        key = base64.b64decode(body, validate=True)
    except ValueError:
        key = b""
    if heading != HEADING or len(key) != KEY_BYTES:
        raise Problem(str(path), "is no key of the one-time codes; bring it back from where you keep a copy")
    return SecretBox(key)


LOST = (
    "is not there, and one-time codes were enrolled with it: bring it back from where you keep a copy. If it is lost"
    " for good, make an empty file there; then people sign in with a recovery code and enrol their device anew, or get"
    " a new link (fengsui link --person NAME)"
)


def _is_empty(path: Path) -> bool:
    return path.exists() and path.stat().st_size == 0


def _make(path: Path) -> None:
    make_folder(path.parent).chmod(0o700)
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{HEADING} {base64.b64encode(os.urandom(KEY_BYTES)).decode()}\n")
    publish(made, path)
