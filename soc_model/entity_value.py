"""The value of an entity as it is kept and indexed: itself, or where it is long its head and its hash."""

from hashlib import sha256

_CHARS = 256


def entity_value(value: str) -> str:
    """A text of bounded length that is equal for equal values only, valid UTF-8 (lone surrogates are written out)."""
    plain = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if len(plain) <= _CHARS:
        return plain
    return f"{plain[:_CHARS]}…{sha256(plain.encode()).hexdigest()}"
