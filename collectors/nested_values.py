"""Values of nested records that are more than their parts: lists of named values, and objects as their own text.

Comes in: decoded records before they are flattened. Goes out: fields to put beside the others. Many services write what
matters as ``[{"name": "X", "value": "Y"}, ...]``: such a list becomes the field X with the value Y.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

Fields = dict[str, Any]
NAME_CHARACTERS = 128
VALUES = 256  # of one list in one record


class NamedList(NamedTuple):
    """A list of named values: where it is, the keys of name and value in its items, and what the fields begin with."""

    at: tuple[str, ...]
    name: str
    values: tuple[str, ...]
    prefix: str = ""


def named_values(record: Fields, lists: tuple[NamedList, ...]) -> Fields:
    """The fields that the lists make; several values of one name are a list."""
    found: dict[str, list[Any]] = {}
    for one in lists:
        for item in list(_items(record, one.at))[:VALUES]:
            name = item.get(one.name)
            if isinstance(name, str) and name:
                value = next((item[key] for key in one.values if item.get(key) is not None), None)
                found.setdefault(one.prefix + name[:NAME_CHARACTERS], []).extend(_plain(value))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items() if values}


def _items(record: Any, path: tuple[str, ...]) -> Iterator[Fields]:
    """The objects at the end of a path, through lists on the way."""
    if isinstance(record, list):
        for one in record:
            yield from _items(one, path)
    elif isinstance(record, dict):
        if path:
            yield from _items(record.get(path[0]), path[1:])
        else:
            yield record


def _plain(value: Any) -> Iterator[Any]:
    """A value as plain ones: a text that is a JSON text without its quotes, an object as its text."""
    if isinstance(value, list):
        for one in value:
            yield from _plain(one)
    elif isinstance(value, dict):
        yield json.dumps(value, ensure_ascii=False)
    elif isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        yield value[1:-1]
    elif value is not None:
        yield value


def text_at(record: Fields, path: tuple[str, ...]) -> str | None:
    """The object or list at a path as JSON, compact; ``None`` where there is neither."""
    held: Any = record
    for step in path:
        held = held.get(step) if isinstance(held, dict) else None
    if not isinstance(held, dict | list):
        return None
    return json.dumps(held, ensure_ascii=False, separators=(",", ":"))
