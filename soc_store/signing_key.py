"""The key that signs checkpoints: Ed25519, the private half in a file of its owner only, the public one beside it."""

import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from soc_model.problem import Problem
from soc_store.durable import make_folder, publish

ALG = "Ed25519"


class VerifyingKey:
    """The public half: tells whether a signature is by its key."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.key_id = sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    def holds(self, signature: bytes, content: bytes) -> bool:
        """Whether ``signature`` was made over ``content`` with this key."""
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """The key as PEM text."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class SigningKey:
    """The private half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyingKey(key.public_key())

    def sign(self, content: bytes) -> bytes:
        """The signature over ``content``."""
        return self._key.sign(content)


def open_signing_key(path: Path) -> SigningKey:
    """The key in the file ``path``, made where missing; ``Problem`` when it is none or others may read it.

    The public half is kept beside it, as ``path`` with ``.pub`` behind.
    """
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        _write(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    if path.stat().st_mode & 0o077:
        raise Problem(str(path), "others may read the key that signs checkpoints: chmod 600, better make a new one")
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Problem(str(path), f"is no private key ({error})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Problem(str(path), f"is no {ALG} key")
    opened = SigningKey(key)
    if not public_path(path).exists():
        _write(public_path(path), opened.public.pem(), 0o644)
    return opened


def public_path(path: Path) -> Path:
    """Where the public half of the key file ``path`` is."""
    return path.with_name(f"{path.name}.pub")


def read_verifying_key(path: Path) -> VerifyingKey:
    """The public key in the file ``path``; ``Problem`` when it cannot be read or is none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise Problem(str(path), f"cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Problem(str(path), f"is no public key ({error})") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Problem(str(path), f"is no {ALG} public key")
    return VerifyingKey(key)


def _write(path: Path, content: bytes, mode: int) -> None:
    make_folder(path.parent)
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    publish(made, path)
