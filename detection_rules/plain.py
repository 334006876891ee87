"""Nouns to plain data (lists, texts, numbers) and back, as their annotations say: for files that must not hold code.

Comes in: a type made of dataclasses, structs, enums, unions, tuples, lists, dicts, frozensets and IP networks. Goes
out: a ``Plain`` of two functions. The one thing to know: the type decides, never the data, so what is read can only
become what the annotations name; a field added to a noun is carried along without a change here.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

Convert = Callable[[Any], Any]
SCALARS = (str, bytes, int, float, bool, NoneType)


class Plain(NamedTuple):
    """How values of one type become plain data, and how they are made again."""

    dump: Convert
    load: Convert


def plain_of(kind: Any) -> Plain:
    """How values of a type are dumped and loaded; raises TypeError for a type that is not made of what is known."""
    return _Plains().of(kind)


def _same(value: Any) -> Any:
    return value


class _Plains:
    """The types met so far; a type that holds itself is found here while it is still being made."""

    def __init__(self) -> None:
        self._known: dict[Any, Plain] = {}

    def of(self, kind: Any) -> Plain:
        if kind not in self._known:
            # The lookups come later, when the type is made: one that holds itself is met while it is not.
            self._known[kind] = Plain(
                lambda value: self._known[kind].dump(value),  # noqa: PLW0108
                lambda data: self._known[kind].load(data),  # noqa: PLW0108
            )
            self._known[kind] = self._make(kind)
        return self._known[kind]

    def _make(self, kind: Any) -> Plain:
        arguments = get_args(kind)
        match get_origin(kind):
            case None:
                return self._noun(kind)
            case one if one in (Union, UnionType):
                return self._union(arguments)
            case one if one is tuple and arguments[-1] is not Ellipsis:
                return self._row(arguments)
            case one if one in (tuple, list, frozenset):
                return self._sequence(arguments[0], one)
            case one if one is dict:
                return self._mapping(*arguments)
        raise TypeError(f"no plain form of {kind!r}")

    def _noun(self, kind: Any) -> Plain:
        if kind in SCALARS:
            return Plain(_same, _same)
        if kind in (IPv4Network, IPv6Network):
            return Plain(str, ip_network)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return Plain(lambda value: value.name, lambda name: kind[name])
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return Plain(msgspec.to_builtins, lambda data: msgspec.convert(data, kind))
        if is_dataclass(kind):
            return self._dataclass(kind)
        raise TypeError(f"no plain form of {kind!r}")

    def _sequence(self, inner: Any, kind: type) -> Plain:
        if inner in SCALARS:
            return Plain(sorted if kind is frozenset else list, kind)
        dump, load = self.of(inner)
        return Plain(lambda value: list(map(dump, value)), lambda data: kind(map(load, data)))

    def _row(self, kinds: tuple[Any, ...]) -> Plain:
        plains = [self.of(kind) for kind in kinds]
        return Plain(
            lambda value: [plain.dump(one) for plain, one in zip(plains, value, strict=True)],
            lambda data: tuple(plain.load(one) for plain, one in zip(plains, data, strict=True)),
        )

    def _mapping(self, key: Any, value: Any) -> Plain:
        keys, values = self.of(key), self.of(value)
        return Plain(
            lambda found: [[keys.dump(one), values.dump(other)] for one, other in found.items()],
            lambda data: {keys.load(one): values.load(other) for one, other in data},
        )

    def _dataclass(self, kind: Any) -> Plain:
        """A list of its fields in order."""
        hints = get_type_hints(kind)
        names = [field.name for field in fields(kind)]
        plains = [self.of(hints[name]) for name in names]
        dumps = [(name, plain.dump) for name, plain in zip(names, plains, strict=True)]
        loads = [(name, plain.load) for name, plain in zip(names, plains, strict=True)]

        def load(data: Any) -> Any:
            return kind(**{name: one(item) for (name, one), item in zip(loads, data, strict=True)})

        return Plain(lambda value: [one(getattr(value, name)) for name, one in dumps], load)

    def _union(self, kinds: tuple[Any, ...]) -> Plain:
        """Scalars as they are, anything else as a list of its place in the union and its own form."""
        others = [kind for kind in kinds if kind not in SCALARS]
        plains = [self.of(kind) for kind in others]
        places = {_class(kind): place for place, kind in enumerate(others)}

        def dump(value: Any) -> Any:
            place = places.get(type(value))
            return value if place is None else [place, plains[place].dump(value)]

        def load(data: Any) -> Any:
            return plains[data[0]].load(data[1]) if type(data) is list else data

        return Plain(dump, load)


def _class(kind: Any) -> Any:
    """The class of a member of a union, by which its values are told apart."""
    return get_origin(kind) or kind
