"""Cursors of keyset paging: where a page ended, as opaque text that a client hands back."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from soc_model.problem import Problem

T = TypeVar("T")


def encode_cursor(values: Sequence[object]) -> str:
    """``values`` as text that is safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type[T]) -> T:
    """The values in ``cursor``; ``Problem`` when it is not one of ours for this order."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=kind)
    except (ValueError, binascii.Error) as error:
        raise Problem("cursor", "is not one that this list gave") from error
