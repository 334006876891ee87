"""Header columns out of fields: the first field that has a value, made fit for its column."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Fields = Mapping[str, Any]
EMPTY = frozenset({"", "-", "N/A", "(null)"})
PORTS = frozenset({"source.port", "destination.port"})
ADDRESSES = frozenset({"source.ip", "destination.ip"})
TEXT_CHARACTERS = 1024
ADDRESSES_KEPT = 8  # of one host in one record


def column_of(column: str, values: list[Any]) -> list[Any] | None:
    """The values fit for a header column; ``None`` when none of them is."""
    if column == "message":  # hardly ever the same twice, and long
        return _filled(list(map(text_of, values)))
    try:
        fitted = list(map(_Fitted(_fit_for(column)).__getitem__, values))
    except TypeError:  # a list is not hashable
        fitted = list(map(_fit_for(column), values))
    return _filled(fitted)


def _filled(values: list[Any]) -> list[Any] | None:
    return None if values.count(None) == len(values) else values


def first_values(fields: Sequence[Fields], names: Sequence[str]) -> list[Any]:
    """For each event the value of the first of ``names`` that it has with any content."""
    values = [event.get(names[0]) for event in fields]
    for name in names[1:]:
        values = [
            event.get(name, value) if value is None or value == "-" or not value else value
            for value, event in zip(values, fields, strict=True)
        ]
    return values


class _Fitted(dict[Any, Any]):
    """Each distinct value fitted once: the values of one chunk repeat."""

    def __init__(self, fit: Callable[[Any], Any]) -> None:
        super().__init__()
        self._fit = fit

    def __missing__(self, value: Any) -> Any:
        fitted = self[value] = self._fit(value)
        return fitted


def _fit_for(column: str) -> Callable[[Any], Any]:
    if column in PORTS:
        return port_of
    return address_of if column in ADDRESSES else text_of


def text_of(value: Any) -> str | None:
    """A short text: the first line of at most ``TEXT_CHARACTERS``; a list gives its first value."""
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return None
    text = value if type(value) is str else str(value)
    if text in EMPTY:
        return None
    end = text.find("\n", 0, TEXT_CHARACTERS)
    if end < 0:
        return text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS]
    return text[:end].strip() or text_of(text[end:].lstrip()[:TEXT_CHARACTERS])


def address_of(value: Any) -> str | None:
    """An address as text; an IPv4 address mapped into IPv6 is written as IPv4."""
    text = text_of(value)
    if text is not None and text[:7] in ("::ffff:", "::FFFF:") and "." in text:
        return text[7:]
    return text


def addresses_of(values: list[Any]) -> list[Any]:
    """For each event its addresses, hashable: one, several as a tuple, or ``None``."""
    return [
        tuple(found for one in value[:ADDRESSES_KEPT] if (found := address_of(one)) is not None)
        if isinstance(value, list)
        else address_of(value)
        for value in values
    ]


def port_of(value: Any) -> int | None:
    """A port number; ``None`` for anything else."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str) and value.isdecimal() and len(value) <= 5:
        value = int(value)
    return value if type(value) is int and 0 <= value <= 65535 else None
