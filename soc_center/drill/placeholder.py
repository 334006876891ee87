"""Our own strict substitution in the drill's record templates: ``{{name}}`` and ``{{name:argument}}`` of a closed list.

A text that is one placeholder and nothing else becomes the value itself, so that numbers stay numbers in JSON. There
are no expressions and no lookups by attribute; an unknown name is a Problem.

| placeholder | gives |
|---|---|
| ``time.utc``, ``time.utc_ms``, ``time.local``, ``time.local_s``, ``time.sysmon``, ``time.epoch`` | the shot's time |
| ``pid``, ``port``, ``guid``, ``uid``, ``uuid`` | a new value each time |
| ``pid:NAME`` ... ``uuid:NAME`` | the same value for NAME all through the campaign |
| ``label:48``, ``number:200-9000`` | that many characters of base 32, a whole number in that range |
| ``LIST`` or ``LIST.FIELD`` | an entry of one of the scenario's word lists, the same one all through the record |
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from string import ascii_letters, digits
from typing import Any
from uuid import UUID

from soc_model.problem import Problem

Value = str | int | float
Words = Mapping[str, Sequence[str | Mapping[str, Value]]]

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_LOCAL = timezone(timedelta(hours=8))
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(slots=True, kw_only=True)
class Values:
    """The values of one record's placeholders: its time, its own random numbers, and the campaign's seed and words."""

    at_us: int
    seed: int
    random: Random
    words: Words
    place: str
    picked: dict[str, str | Mapping[str, Value]] = field(default_factory=dict)

    def value(self, text: str) -> Value:
        """What the placeholder with this text stands for; raises ``Problem`` where it is not one of ours."""
        name, colon, argument = text.partition(":")
        if not colon and name in _TIMES:
            return _TIMES[name](self.at_us)
        if name in _RANDOM:
            return _RANDOM[name](self._source_of(text) if colon else self.random)
        if name in _SIZED and colon:
            return _sized(name, argument, self.random, self.place)
        return self._word(text)

    def _source_of(self, text: str) -> Random:
        return Random(f"{self.seed}/{text}")  # noqa: S311  # a reproducible campaign, no secret

    def _word(self, text: str) -> Value:
        name, dot, field_name = text.partition(".")
        if name not in self.words:
            raise Problem(self.place, f"unknown placeholder {{{{{text}}}}}")
        entry = self.picked.setdefault(name, self.random.choice(self.words[name]))
        if isinstance(entry, str) != (not dot):
            raise Problem(self.place, f"{{{{{text}}}}}: write LIST for a list of texts, LIST.FIELD for one of mappings")
        if isinstance(entry, str):
            return entry
        if field_name not in entry:
            raise Problem(self.place, f"{{{{{text}}}}}: no field {field_name} in the list {name}")
        return entry[field_name]


def fill(template: Any, values: Values) -> Any:
    """The template with every placeholder replaced; mappings and lists are filled value by value."""
    if isinstance(template, Mapping):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    return _text(template, values) if isinstance(template, str) else template


def _text(template: str, values: Values) -> Value:
    whole = _PLACEHOLDER.fullmatch(template)
    if whole is not None:
        return values.value(whole[1])
    return _PLACEHOLDER.sub(lambda found: str(values.value(found[1])), template)


def _sized(name: str, argument: str, random: Random, place: str) -> Value:
    low, _, high = argument.partition("-")
    if name == "label" and argument.isdecimal():
        return "".join(random.choices(_BASE32, k=int(argument)))
    if name == "number" and low.isdecimal() and high.isdecimal():
        return random.randint(int(low), int(high))
    raise Problem(place, f"{{{{{name}:{argument}}}}}: write {{{{label:LENGTH}}}} or {{{{number:LOW-HIGH}}}}")


def _moment(at_us: int, zone: timezone = UTC) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, zone).replace(microsecond=at_us % 1_000_000)


def _guid(random: Random) -> str:
    return "{" + str(UUID(int=random.getrandbits(128), version=4)) + "}"


def _uid(random: Random) -> str:
    return "C" + "".join(random.choices(ascii_letters + digits, k=17))


_TIMES: dict[str, Callable[[int], Value]] = {
    "time.utc": lambda at: _moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    "time.utc_ms": lambda at: _moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "time.local": lambda at: _moment(at, _LOCAL).isoformat(timespec="microseconds"),
    "time.local_s": lambda at: _moment(at, _LOCAL).isoformat(timespec="seconds"),
    "time.sysmon": lambda at: _moment(at).replace(tzinfo=None).isoformat(" ", timespec="milliseconds"),
    "time.epoch": lambda at: at / 1_000_000,
}
_RANDOM: dict[str, Callable[[Random], Value]] = {
    "pid": lambda random: random.randrange(1200, 32000, 4),
    "port": lambda random: random.randint(49152, 65535),
    "guid": _guid,
    "uid": _uid,
    "uuid": lambda random: str(UUID(int=random.getrandbits(128), version=4)),
}
_SIZED = frozenset({"label", "number"})
