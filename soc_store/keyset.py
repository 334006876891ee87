"""Cursors of keyset paging: where a page ended, as opaque text that a client hands back."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from soc_model.problem import Problem

_DECODER = msgspec.json.Decoder(list[str | int])
_INT64 = 1 << 63


def encode_cursor(values: Sequence[object]) -> str:
    """``values`` as text that is safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[str | int]:
    """The values in ``cursor``; ``Problem`` when it is not one that ``encode_cursor`` made."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return [_value(one) for one in _DECODER.decode(base64.b64decode(padded, b"-_", validate=True))]
    except (ValueError, binascii.Error) as error:
        raise Problem("cursor", "is not one that this list gave") from error


def _value(value: str | int) -> str | int:
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise ValueError(value)
    return value
