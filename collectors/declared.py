"""Formats that are data: ``formats/NAME.yml`` says what records look like, this reads them (JSON, and lines of text).

Fields: the record's own names, nested objects as dotted names, and the Sigma names that the declaration adds. Header,
time, identity and logsource are as declared. See ``collectors.declaration`` for the keys.
"""

from collections.abc import Callable, Sequence, Set
from datetime import UTC, tzinfo
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

from collectors.declaration import SAFE_NAME, Declaration, read_declaration
from collectors.header import addresses_of, column_of, first_values
from collectors.json_record import Flattening, Objects, flatten, parents_of
from collectors.lines import Cut, starts, text_of
from collectors.nested_values import named_values, text_at
from collectors.pick import Name, Pick
from collectors.record_reader import first_objects, reader_of
from collectors.timestamp import any_us, epoch_us, format_us, iso_us, zone_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

Fields = dict[str, Any]
Key = tuple[Any, ...]


def load_declared(path: Path) -> "DeclaredFormat":
    """The format declared in a file; raises ``Problem`` with file and line."""
    return DeclaredFormat(read_declaration(path))


class DeclaredFormat:
    """A declared JSON format; keeps no state between calls."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self.name = declaration.name
        self.own_numbers = False
        self._decoder = f"{declaration.name}@1"
        self._reader = reader_of(declaration.reading)
        self._names_of_type = _names_of_type(declaration)
        self._needed = _needed(declaration)
        self._always = _always(declaration)
        self._paths = {name: tuple(name.split(".")) for name in declaration.texts}
        self._as_written = declaration.as_written

    def logsources(self) -> list[Logsource]:
        """The logsource its events carry where the source says nothing else; "*" for a part that records decide."""
        parts = {part: _possible(name) for part, name in self.declaration.logsource.items()}
        return [Logsource(**dict(zip(parts, one, strict=True))) for one in product(*parts.values())]

    def recognise(self, head: bytes, path: str) -> bool:
        """Whether the first records can be read, and one has what the declaration asks for, of text its time too."""
        values = first_objects(self._reader, head)
        fit = [value for value in values if value is not None and self._fits(value)]
        return bool(fit) and values[0] is not None and (self.declaration.reading.kind == "json" or self._is_timed(fit))

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        """Lines, or the objects in an envelope."""
        return self._reader.cut(data, context, final)

    def parse(self, records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
        """One event per line, grouped by type."""
        read = self._reader.read(records, context)
        chunk = _Chunk(records, starts(records), context, plain=read.plain, changed=read.changed)
        groups = []
        for key, at in self._members(read).items():
            type_ = self._type(key, context)
            objects = [value for i in at if (value := read.values[i]) is not None]
            groups.append(self._group(type_, objects, at, chunk, wanted(type_)))
        return groups + self._broken(read.broken, chunk)

    def _members(self, read: Objects) -> dict[Key, list[int]]:
        """The indices of the records of each type."""
        members: dict[Key, list[int]] = {}
        for i, value in enumerate(read.values):
            if value is not None:
                members.setdefault(self._key(value, read.plain), []).append(i)
        return members

    def _is_timed(self, fields: list[Fields]) -> bool:
        """Whether the time of any can be read: nearly every line of text has as many columns as are asked for."""
        self._add_fields(fields, frozenset[str]().union(*fields), frozenset())
        present = frozenset[str]().union(*fields)
        return any(time is not None for time in self._times(fields, present, UTC))

    def _fits(self, value: Fields) -> bool:
        names = frozenset(name for names in self.declaration.must_have for name in names)
        names |= self.declaration.must_be.keys()
        fields = flatten(value, names, parents_of(names))
        fields |= {name: value[name] for name in names & value.keys()}  # also where they hold an object
        return all(any(name in fields for name in names) for names in self.declaration.must_have) and all(
            fields.get(name) in allowed for name, allowed in self.declaration.must_be.items()
        )

    def _key(self, value: Fields, plain: bool) -> Key:
        """The values that make the type of a record."""
        names = self._names_of_type
        if not names:
            return ()
        if len(names) == 1 and type(only := value.get(names[0])) is str and (plain or "." not in names[0]):
            return (only,)
        fields = value if plain else flatten(value, frozenset(names), parents_of(frozenset(names)))
        return tuple(_constant(fields.get(name)) for name in names)

    def _type(self, key: Key, context: dict[str, Any]) -> EventType:
        said = dict(zip(self._names_of_type, key, strict=True))
        declared: dict[str, str] = context.get("logsource") or {}
        parts = {part: _named(name, said) for part, name in self.declaration.logsource.items()}
        parts |= {part: value for part, value in declared.items() if value and part in Logsource.__struct_fields__}
        constants = tuple(
            (name, str(said[name])) for name in sorted(self.declaration.constants) if said[name] is not None
        )
        return EventType(_named(self.declaration.dataset, said) or self.name, Logsource(**parts), constants)

    def _group(
        self, type_: EventType, objects: list[Fields], at: list[int], chunk: "_Chunk", names: frozenset[str] | None
    ) -> EventGroup:
        if not chunk.plain:
            needed = None if names is None else names | self._needed | self._asked(names)
            nested = [self._nested(value, needed) for value in objects] if self._has_nested else []
            objects = list(map(_flattening(needed), objects))
            for event, more in zip(objects, nested, strict=False):
                event.update(more)
        if self.declaration.fields:
            self._add_fields(objects, frozenset[str]().union(*objects), names)
        group = EventGroup(
            type=type_,
            decoder=self._decoder,
            fields=objects,
            raws=[chunk.records[i] for i in at],
            times=[],
            bytes_at=[chunk.places[i] for i in at],
            records=at,
            written=self._as_written and chunk.changed.isdisjoint(at),
        )
        group.later(partial(self._complete, zone=chunk.zone))
        return group

    def _complete(self, group: EventGroup, zone: tzinfo) -> None:
        """Fill in times, header, identities and addresses."""
        objects = group.fields
        present = frozenset[str]().union(*objects)
        group.times = self._times(objects, present, zone)
        group.header = self._header(objects, present)
        group.identities = self._identities(objects, present)
        group.host_addresses = self._host_addresses(objects, present)

    @property
    def _has_nested(self) -> bool:
        return bool(self.declaration.lists or self.declaration.texts)

    def _nested(self, value: Fields, needed: frozenset[str] | None) -> Fields:
        """The fields that lists of named values and objects as texts make, as far as they are needed."""
        found = named_values(value, self.declaration.lists)
        for name, path in self._paths.items():
            if (needed is None or name in needed) and (text := text_at(value, path)) is not None:
                found[name] = text
        return found if needed is None else {name: one for name, one in found.items() if name in needed}

    def _asked(self, names: frozenset[str]) -> frozenset[str]:
        """The source fields of the declared names that rules ask for."""
        declared = self.declaration.fields
        return frozenset(field for name in names & declared.keys() for pick in declared[name] for field in pick.fields)

    def _add_fields(self, fields: list[Fields], present: frozenset[str], names: frozenset[str] | None) -> bool:
        """Set the declared names that a record does not have itself, as far as anyone asks; whether there were any."""
        added = False
        for name, picks in self.declaration.fields.items():
            if names is not None and name not in names and name not in self._always:
                continue
            if (there := _there(picks, present)) is not None:
                added = True
                for event, value in zip(fields, _values(fields, there), strict=True):
                    if value is not None and name not in event:
                        event[name] = value
        return added

    def _times(self, fields: list[Fields], present: frozenset[str], zone: tzinfo) -> list[int | None]:
        times: list[int | None] = [None] * len(fields)
        for name, kind in self.declaration.times:
            if name in present:
                read = _Times(kind, zone).read
                times = [
                    read(event.get(name)) if time is None else time for time, event in zip(times, fields, strict=True)
                ]
                if None not in times:
                    break
        return times

    def _header(self, fields: list[Fields], present: frozenset[str]) -> dict[str, list[Any]]:
        header: dict[str, list[Any]] = {}
        for column, picks in self.declaration.header.items():
            if (there := _there(picks, present)) and (fit := column_of(column, _values(fields, there))):
                header[column] = fit
        return header

    def _host_addresses(self, fields: list[Fields], present: frozenset[str]) -> list[Any] | None:
        there = [name for name in self.declaration.host_addresses if name in present]
        return addresses_of(first_values(fields, there)) if there else None

    def _identities(self, fields: list[Fields], present: frozenset[str]) -> list[str | None] | None:
        names = self.declaration.identity
        if not names or not present.issuperset(names):
            return None
        found = ([event.get(name) for name in names] for event in fields)
        return [None if None in values else "|".join(map(str, values)) for values in found]

    def _broken(self, broken: dict[int, str], chunk: "_Chunk") -> list[EventGroup]:
        """The group of what could not be read; its logsource is what is known without a record."""
        if not broken:
            return []
        at = sorted(broken)
        messages = [text_of(chunk.records[i], chunk.context) for i in at]
        group = EventGroup(
            type=self._type((None,) * len(self._names_of_type), chunk.context),
            decoder=self._decoder,
            fields=[{"message": message} for message in messages],
            raws=[chunk.records[i] for i in at],
            times=[None] * len(at),
            bytes_at=[chunk.places[i] for i in at],
            records=at,
            header={"message": [message[:1024] for message in messages]},
            unparsed={n: broken[i] for n, i in enumerate(at)},
        )
        return [group]


@lru_cache(maxsize=256)
def _flattening(needed: frozenset[str] | None) -> Callable[[Fields], Fields]:
    """What makes nested objects flat, as far as they are needed."""
    return partial(flatten, wanted=None, parents=frozenset()) if needed is None else Flattening(needed).fields


class _Chunk:
    """What all groups of one chunk share."""

    def __init__(
        self, records: Sequence[bytes], places: list[int], context: dict[str, Any], *, plain: bool, changed: Set[int]
    ) -> None:
        self.changed = changed
        self.records = records
        self.places = places
        self.context = context
        self.plain = plain
        self.zone = zone_of(context.get("zone"))


def _names_of_type(declaration: Declaration) -> tuple[str, ...]:
    """The fields whose values decide a record's type, sorted."""
    names = {name.field for name in (declaration.dataset, *declaration.logsource.values()) if name.field}
    return tuple(sorted(names | set(declaration.constants)))


def _always(declaration: Declaration) -> frozenset[str]:
    """The fields that are read whatever the rules want: of header, time, identity and type."""
    picks = [pick for several in declaration.header.values() for pick in several]
    names = {field for pick in picks for field in pick.fields} | {name for name, _ in declaration.times}
    return frozenset(
        names | set(declaration.identity) | set(declaration.host_addresses) | set(_names_of_type(declaration))
    )


def _needed(declaration: Declaration) -> frozenset[str]:
    """The same, with the source fields of those that are declared."""
    always = _always(declaration)
    declared = [pick for name in always & declaration.fields.keys() for pick in declaration.fields[name]]
    return always | {field for pick in declared for field in pick.fields}


def _possible(name: Name) -> tuple[str, ...]:
    """What a part of the logsource may be; "*" where records decide."""
    if name.words:
        return tuple(sorted({name.otherwise, *(said for _, said in name.words)}))
    return ("*" if name.field else name.fixed,)


def _named(name: Name, said: Fields) -> str:
    """A fixed name, or prefix and value (or its word) of a field; empty when the value is not fit for a name."""
    if not name.field:
        return name.fixed
    value = said.get(name.field)
    if name.words:
        return dict(name.words).get(str(value), name.otherwise)
    return name.fixed + value if isinstance(value, str) and SAFE_NAME.fullmatch(value) else ""


def _constant(value: Any) -> Any:
    """A value as part of a type's key."""
    return value if value is None or type(value) in (str, int, bool) else str(value)


def _there(picks: tuple[Pick, ...], present: frozenset[str]) -> tuple[Pick, ...] | None:
    """The picks whose field any event has."""
    return tuple(pick for pick in picks if pick.field in present or pick.absent is not None) or None


def _values(fields: list[Fields], picks: tuple[Pick, ...]) -> list[Any]:
    """For each event the value of the first pick that has any content."""
    if all(pick.plain for pick in picks):
        return first_values(fields, [pick.field for pick in picks])
    return [next((v for pick in picks if (v := pick.of(event)) not in (None, "", "-")), None) for event in fields]


class _Times:
    """Times of one kind in one chunk; what is slow to read and repeats is read once."""

    def __init__(self, kind: str, zone: tzinfo) -> None:
        self._kind = kind
        self._zone = zone
        self._seen: dict[str, int | None] = {}

    def read(self, value: Any) -> int | None:
        """The time of a value."""
        if value is None or "%" not in self._kind:
            return None if value is None else _read_time(value, self._kind, self._zone)
        text = str(value)[:128]
        if text not in self._seen:
            self._seen[text] = format_us(text, self._kind, self._zone)
        return self._seen[text]


def _read_time(value: Any, kind: str, zone: tzinfo) -> int | None:
    if kind == "iso":
        return iso_us(value, zone)
    if kind == "any":
        return any_us(value, zone)
    return epoch_us(value, kind)
