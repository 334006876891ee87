"""JSON records decoded: fast where they are well formed, tolerant where they are not, never raising.

``msgspec`` decodes first. What it refuses (byte order mark, NUL padding, lone surrogates, control characters, NaN,
invalid UTF-8) and what it would hide (the same key twice: it keeps the last) goes to a tolerant decoder: a lone
surrogate becomes its escape, NaN and infinities their text, the values of a repeated key a list of all of them, so
that a rule sees each. What that refuses too is reported as broken.
"""

import json
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from collectors.lines import text_of

Object = dict[str, Any]
Scalar = str | int | float | bool | None
_PLAIN = msgspec.json.Decoder(dict[str, Scalar | list[Scalar]])
_DECODER = msgspec.json.Decoder(dict[str, Any])
_ENCODER = msgspec.json.Encoder()
_REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
_UTF8 = ("utf-8", "ascii")
_HOLDERS = frozenset({dict, list})
DIGITS = 1000  # of an integer; longer ones stay text (Python itself refuses over 4,300)
DEPTH = 100  # of nested arrays and objects; no honest record comes near


class Objects(NamedTuple):
    """One object per record, ``None`` where it is broken, and why it is; ``plain`` when none holds another object.

    ``changed``: the records whose values are not as they are written, because the tolerant decoder read them.
    """

    values: list[Object | None]
    broken: dict[int, str]
    plain: bool = False
    changed: frozenset[int] = frozenset()


def read_objects(records: Sequence[bytes], context: dict[str, Any]) -> Objects:
    """The JSON object in each record."""
    if context.get("codec", "utf-8") not in _UTF8:
        return _one_by_one(records, context)
    for decoder in (_PLAIN, _DECODER):
        with suppress(*_REFUSED):
            return _with_repeats(records, list(map(decoder.decode, records)), context, decoder is _PLAIN)
    return _one_by_one(records, context)


def _one_by_one(records: Sequence[bytes], context: dict[str, Any]) -> Objects:
    values: list[Object | None] = []
    broken: dict[int, str] = {}
    for i, record in enumerate(records):
        value, why = read_object(record, context)
        values.append(value)
        if value is None:
            broken[i] = why
    return Objects(values, broken, changed=frozenset(range(len(records))))


def _with_repeats(records: Sequence[bytes], decoded: Sequence[Object], context: dict[str, Any], plain: bool) -> Objects:
    """Decode again, tolerantly, what has more key signs than keys: a key may stand there twice."""
    values: list[Object | None] = list(decoded)
    if not plain and _none_repeats(records, decoded):
        return Objects(values, {})
    broken: dict[int, str] = {}
    changed = []
    signs = [record.count(b'":') for record in records]
    if signs == list(map(len, decoded)):
        return Objects(values, broken, plain)
    for i, (n, keys) in enumerate(zip(signs, map(len, decoded), strict=True)):
        if n != keys and key_signs(records[i]) != count_keys(decoded[i]):
            values[i], why = _tolerant(records[i], context)
            plain = plain and values[i] == decoded[i]
            changed.append(i)
            if values[i] is None:
                broken[i] = why
    return Objects(values, broken, plain, frozenset(changed))


def _none_repeats(records: Sequence[bytes], decoded: Sequence[Object]) -> bool:
    """Whether surely no key stands twice: written anew the objects have as many quotes.

    A key that was dropped takes its quotes with it, and only a quote written as a number could stand in for them.
    """
    data = b"\n".join(records)
    return data.count(b'"') == _ENCODER.encode(decoded).count(b'"') and b"\\u0022" not in data


def read_object(record: bytes, context: dict[str, Any]) -> tuple[Object | None, str]:
    """The JSON object in one record, or ``None`` and why it is broken."""
    if context.get("codec", "utf-8") not in _UTF8:
        return _tolerant(record, context)
    try:
        value: Object = _DECODER.decode(record)
    except _REFUSED:
        return _tolerant(record, context)
    found = _with_repeats([record], [value], context, plain=False)
    return found.values[0], found.broken.get(0, "")


def key_signs(record: bytes) -> int:
    """How many keys are written in well-formed JSON; -1 where that cannot be told without decoding it.

    Every key is followed by ``":``. Inside a text the quote is escaped, and these are not counted; nor, where no quote
    before a colon is escaped, are values that begin with a colon (IPv4 in IPv6 in Sysmon's DNS answers).
    """
    if b'\\\\":' in record:
        return -1
    escaped = record.count(b'\\":')
    begun = 0 if escaped else record.count(b'":":') + record.count(b'": ":')
    return record.count(b'":') - escaped - begun


def count_keys(value: Any) -> int:
    """How many keys all objects in ``value`` have together."""
    items, n = (value.values(), len(value)) if type(value) is dict else (value, 0)
    for item in items:
        if type(item) in _HOLDERS:
            n += count_keys(item)
    return n


def _tolerant(record: bytes, context: dict[str, Any]) -> tuple[Object | None, str]:
    utf8 = context.get("codec", "utf-8") in _UTF8
    text = record.decode("utf-8", "surrogateescape") if utf8 else text_of(record, context)
    text = text.strip("\0 \t\r\n\ufeff")
    try:
        value = _TOLERANT.decode(text)
        if not isinstance(value, dict):
            return None, f"JSON {type(value).__name__}, not an object"
        if _depth_over(value, DEPTH):
            return None, f"JSON nested deeper than {DEPTH}"
    except json.JSONDecodeError as error:
        return None, f"JSON: {error.msg} at character {error.pos}"
    except (RecursionError, ValueError) as error:
        return None, f"JSON: {type(error).__name__}"
    return _without_surrogates(value) if _has_surrogate(text) else value, ""


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= DIGITS else digits


def _number(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _merged(pairs: list[tuple[str, Any]]) -> Object:
    """The object of these pairs; a key that stands there more than once has the list of its different values."""
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    every: dict[str, dict[tuple[str, str], Any]] = {}
    for name, item in pairs:
        items = every.setdefault(name, {})
        items.update(((type(one).__name__, repr(one)), one) for one in (item if isinstance(item, list) else [item]))
    return {name: list(items.values()) if len(items) > 1 else value[name] for name, items in every.items()}


_TOLERANT = json.JSONDecoder(
    strict=False, object_pairs_hook=_merged, parse_int=_integer, parse_float=_number, parse_constant=str
)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _escaped(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _has_surrogate(text: str) -> bool:
    """Whether decoding may have left a lone surrogate: as a character or as its JSON escape."""
    return "\\u" in text or not text.isascii()


def _without_surrogates(value: Any) -> Any:
    """The value with every lone surrogate as its escape, so that everyone after us may encode it.

    Bytes that are no UTF-8 were decoded to the surrogates U+DC80 to U+DCFF, and are written ``\\xNN``.
    """
    if isinstance(value, str):
        return _SURROGATE.sub(_escaped, value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value


def _depth_over(value: Any, limit: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_depth_over(item, limit - 1) for item in items)


def flatten(value: Object, wanted: frozenset[str] | None, parents: frozenset[str]) -> Object:
    """One level of fields out of nested ones: ``{"a": {"b": 1}}`` gives ``a.b``.

    A list of plain values stays; out of a list with objects each field has the list of its values. ``wanted``: only
    these names (all when ``None``); ``parents`` is ``parents_of(wanted)``.
    """
    fields: Object = {}
    _flatten_into(fields, "", value, wanted, parents)
    return fields


class _Branch(NamedTuple):
    """What a key leads to: a field's name, whether that is wanted, and what is wanted of an object there."""

    name: str
    wanted: bool
    below: "dict[str, _Branch]"


class Flattening:
    """``flatten`` for many objects of which the same names are wanted: other keys are passed over."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._parents = parents_of(wanted)
        self._branches = self._below("")

    def fields(self, value: Object) -> Object:
        """As ``flatten``."""
        found: Object = {}
        self._into(found, value, self._branches)
        return found

    def _below(self, prefix: str) -> dict[str, _Branch]:
        """What keys may stand in the object of that name; a key may itself be dotted."""
        names = [name for name in self._wanted | self._parents if name.startswith(prefix) and name != prefix]
        return {
            name[len(prefix) :]: _Branch(
                name, name in self._wanted, self._below(f"{name}.") if name in self._parents else {}
            )
            for name in names
        }

    def _into(self, found: Object, value: Object, branches: dict[str, _Branch]) -> None:
        for key, item in value.items():
            if (branch := branches.get(key)) is not None:
                name, wanted, below = branch
                kind = type(item)
                if kind is dict:
                    if below:
                        self._into(found, item, below)
                elif kind is list or name in found:
                    _flatten_into(found, name[: len(name) - len(key)], {key: item}, self._wanted, self._parents)
                elif wanted:
                    found[name] = item


def parents_of(names: frozenset[str] | None) -> frozenset[str]:
    """Every name whose object may hold one of ``names``."""
    parts = [name.split(".") for name in names or ()]
    return frozenset(".".join(part[:n]) for part in parts for n in range(1, len(part)))


def _flatten_into(
    fields: Object, prefix: str, value: Object, wanted: frozenset[str] | None, parents: frozenset[str]
) -> None:
    for key, item in value.items():
        name = prefix + key
        kind = type(item)
        if kind is dict:
            if wanted is None or name in parents:
                _flatten_into(fields, name + ".", item, wanted, parents)
        elif kind is list and not _HOLDERS.isdisjoint(map(type, item)):
            _flatten_list(fields, name, item, wanted, parents)
        elif wanted is None or name in wanted:
            if name in fields or kind is list:
                _put(fields, name, item)
            else:
                fields[name] = item


def _flatten_list(
    fields: Object, name: str, items: list[Any], wanted: frozenset[str] | None, parents: frozenset[str]
) -> None:
    for item in items:
        if isinstance(item, dict):
            if wanted is None or name in parents:
                nested: Object = {}
                _flatten_into(nested, name + ".", item, wanted, parents)
                for key, one in nested.items():
                    _put(fields, key, one, listed=True)
        elif isinstance(item, list):
            _flatten_list(fields, name, item, wanted, parents)
        elif wanted is None or name in wanted:
            _put(fields, name, item, listed=True)


def _put(fields: Object, name: str, item: Any, listed: bool = False) -> None:
    """Set a field; a second value for the same name makes (or extends) a list."""
    if name not in fields:
        fields[name] = list(item) if isinstance(item, list) else [item] if listed else item
        return
    held = fields[name]
    fields[name] = (held if isinstance(held, list) else [held]) + (item if isinstance(item, list) else [item])
