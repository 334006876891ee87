"""JSON formats that are data: ``formats/NAME.yml`` says what records look like, this reads them (NDJSON).

Fields: the record's own names, nested objects as dotted names, and the Sigma names that the declaration adds. Header,
time, identity and logsource are as declared. See ``collectors.declaration`` for the keys.
"""

from collections.abc import Callable, Sequence, Set
from datetime import tzinfo
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from collectors.declaration import SAFE_NAME, Declaration, Name, Pick, read_declaration
from collectors.header import addresses_of, column_of, first_values
from collectors.json_record import Flattening, Objects, flatten, parents_of, read_object, read_objects
from collectors.lines import Cut, cut_lines, sample_lines, starts, text_of
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
        self._names_of_type = _names_of_type(declaration)
        self._needed = _needed(declaration)

    def logsources(self) -> list[Logsource]:
        """The logsource its events carry where the source says nothing else; "*" for a part that records decide."""
        parts = {part: "*" if name.field else name.fixed for part, name in self.declaration.logsource.items()}
        return [Logsource(**parts)]

    def recognise(self, head: bytes, path: str) -> bool:
        """Whether the first lines are JSON objects, and one has what the declaration asks for."""
        values = [read_object(line, {})[0] for line in sample_lines(head)]
        return bool(values) and values[0] is not None and any(self._fits(value) for value in values)

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        """Lines."""
        return cut_lines(data, context, final)

    def parse(self, records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
        """One event per line, grouped by type."""
        read = read_objects(records, context)
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

    def _fits(self, value: Fields | None) -> bool:
        if value is None:
            return False
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
            flattened = _flattening(None if names is None else names | self._needed)
            objects = list(map(flattened, objects))
        if self.declaration.fields:
            self._add_fields(objects, frozenset[str]().union(*objects))
        group = EventGroup(
            type=type_,
            decoder=self._decoder,
            fields=objects,
            raws=[chunk.records[i] for i in at],
            times=[],
            bytes_at=[chunk.places[i] for i in at],
            records=at,
            written=chunk.changed.isdisjoint(at),
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

    def _add_fields(self, fields: list[Fields], present: frozenset[str]) -> None:
        """Set the declared names that a record does not have itself."""
        for name, picks in self.declaration.fields.items():
            if (there := _there(picks, present)) is not None:
                for event, value in zip(fields, _values(fields, there), strict=True):
                    if value is not None and name not in event:
                        event[name] = value

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


def _needed(declaration: Declaration) -> frozenset[str]:
    """The fields that are read whatever the rules want."""
    picks = [*declaration.header.values(), *declaration.fields.values()]
    names = {pick.field for several in picks for pick in several} | {name for name, _ in declaration.times}
    return frozenset(
        names | set(declaration.identity) | set(declaration.host_addresses) | set(_names_of_type(declaration))
    )


def _named(name: Name, said: Fields) -> str:
    """A fixed name, or prefix and value of a field; empty when the value is not fit for a name."""
    if not name.field:
        return name.fixed
    value = said.get(name.field)
    return name.fixed + value if isinstance(value, str) and SAFE_NAME.fullmatch(value) else ""


def _constant(value: Any) -> Any:
    """A value as part of a type's key."""
    return value if value is None or type(value) in (str, int, bool) else str(value)


def _there(picks: tuple[Pick, ...], present: frozenset[str]) -> tuple[Pick, ...] | None:
    """The picks whose field any event has."""
    return tuple(pick for pick in picks if pick.field in present) or None


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
