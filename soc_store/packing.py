"""msgpack of anything a decoder may have made of hostile bytes: lone surrogates and huge numbers do not stop it."""

from typing import Any

import msgspec

_INT64 = 1 << 63


def packed(value: Any) -> bytes:
    """``value`` as msgpack; what msgpack cannot hold is written as text (surrogates as ``\\udcff``, huge ints)."""
    try:
        return msgspec.msgpack.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return msgspec.msgpack.encode(storable(msgspec.to_builtins(value, builtin_types=(bytes,))))


def jsoned(value: Any) -> str:
    """``value`` as JSON text; what JSON cannot hold is written as text, as ``packed`` does."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        return msgspec.json.encode(storable(msgspec.to_builtins(value))).decode()


def storable(value: Any) -> Any:
    """``value`` with every str valid UTF-8 and every int within 64 bits (others become str)."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def text(value: str) -> str:
    """``value`` with lone surrogates written out, so that it is valid UTF-8."""
    return value.encode("utf-8", "backslashreplace").decode()
