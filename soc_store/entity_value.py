"""The value of an entity as it is indexed: itself, or where it is long its head and its hash."""

from hashlib import sha256

from soc_store.packing import text

_CHARS = 256


def entity_value(value: str) -> str:
    """A text of bounded length that is equal for equal values only."""
    plain = text(value)
    if len(plain) <= _CHARS:
        return plain
    return f"{plain[:_CHARS]}…{sha256(plain.encode()).hexdigest()}"
