"""One question about one value of an event, as data: what a rule asks for in the end.

A predicate is asked of a *column*: a field's name, ``None`` for every value of the record (keyword rules), or a pair of
field names (one field compared with another). The tests are closed under the Sigma specification 2.1.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final, TypeAlias

Column: TypeAlias = str | tuple[str, str] | None


class Wildcard(Enum):
    """What stands for characters in a text pattern."""

    ONE = "?"
    MANY = "*"


Part: TypeAlias = str | Wildcard


@dataclass(frozen=True, slots=True)
class Text:
    """The whole text equals the parts in order; unless ``cased`` the parts are case-folded, and so is the text."""

    parts: tuple[Part, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """The regular expression is found anywhere in the text as it is; ``flags`` of ``i``, ``m``, ``s``."""

    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Cidr:
    """The text is an address of the network; an IPv4-mapped IPv6 address counts as both."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Null:
    """The field is missing or null; the empty string is neither."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there, whatever its value, null and empty included."""


class Comparison(StrEnum):
    """How a number is compared."""

    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"


@dataclass(frozen=True, slots=True)
class Compare:
    """The value, read as a number, compares so with ``number``; what is no number does not."""

    comparison: Comparison
    number: int | float


class Unit(StrEnum):
    """A part of a date and time."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class TimePart:
    """That part of the value, read as an ISO 8601 date and time as written (no zone conversion), is ``number``."""

    unit: Unit
    number: int


class Side(StrEnum):
    """Where the other field's text stands in the first one's."""

    WHOLE = "whole"
    START = "start"
    END = "end"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class SameAs:
    """The column's first field equals (starts with, ends with, contains) its second; ignoring case unless ``cased``."""

    side: Side
    cased: bool = False


Test: TypeAlias = Text | Regex | Cidr | Null | Exists | Compare | TimePart | SameAs


@dataclass(frozen=True, slots=True)
class Predicate:
    """A test on a column."""

    column: Column
    test: Test


class Absent:
    """What stands in a column for a field that the event does not have (null is a value).

    No enumeration: the hash of a member is computed in Python, and this one is looked up for each event.
    """

    __slots__ = ()


ABSENT: Final = Absent()


def text_of(value: Any) -> str:
    """A value as the text that rules compare with: 1, 1.0 and "1" are equal, booleans are ``true`` and ``false``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    try:
        return str(value)
    except ValueError:  # an integer of thousands of digits, which Python does not write out in decimal
        return f"{value:#x}"


def elements(value: Any) -> tuple[Any, ...]:
    """The values to ask one by one: a list matches when any element does; an absent field has none."""
    if value is ABSENT:
        return ()
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value,)
