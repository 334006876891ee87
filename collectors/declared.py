"""JSON formats that are data: ``formats/NAME.yml`` says what records look like, this reads them (NDJSON).

Fields: the record's own names, nested objects as dotted names, and the Sigma names that the declaration adds. Header,
time, identity and logsource are as declared. See ``collectors.declaration`` for the keys.
"""

from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

from collectors.declaration import SAFE_NAME, Declaration, Name, Pick, read_declaration
from collectors.header import EMPTY, column_of
from collectors.json_record import flatten, parents_of, read_object, read_objects
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
        self._decoder = f"{declaration.name}@1"
        self._names_of_type = _names_of_type(declaration)
        self._needed = _needed(declaration)

    def recognise(self, head: bytes, path: str) -> bool:
        """Whether the first lines are JSON objects, and one has what the declaration asks for."""
        values = [read_object(line, {})[0] for line in sample_lines(head)]
        return bool(values) and values[0] is not None and any(self._fits(value) for value in values)

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        """Lines."""
        return cut_lines(data, context, final)

    def parse(self, records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
        """One event per line, grouped by type."""
        values, broken = read_objects(records, context)
        members: dict[Key, list[int]] = {}
        for i, value in enumerate(values):
            if value is not None:
                members.setdefault(self._key(value), []).append(i)
        chunk = _Chunk(records, starts(records), context)
        groups = []
        for key, at in members.items():
            type_ = self._type(key, context)
            objects = [value for i in at if (value := values[i]) is not None]
            groups.append(self._group(type_, objects, at, chunk, wanted(type_)))
        return groups + self._broken(broken, chunk)

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

    def _key(self, value: Fields) -> Key:
        """The values that make the type of a record."""
        if not self._names_of_type:
            return ()
        fields = flatten(value, self._names_of_type, parents_of(self._names_of_type))
        found = (fields.get(name) for name in sorted(self._names_of_type))
        return tuple(item if type(item) in (str, int, bool) else None if item is None else str(item) for item in found)

    def _type(self, key: Key, context: dict[str, Any]) -> EventType:
        said = dict(zip(sorted(self._names_of_type), key, strict=True))
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
        needed = None if names is None else names | self._needed
        parents = parents_of(needed)
        fields = [flatten(value, needed, parents) for value in objects]
        for event in fields:
            _add_fields(event, self.declaration.fields)
        return EventGroup(
            type=type_,
            decoder=self._decoder,
            fields=fields,
            raws=[chunk.records[i] for i in at],
            times=[_time(event, self.declaration.times, chunk.zone) for event in fields],
            bytes_at=[chunk.places[i] for i in at],
            records=list(at),
            header=self._header(fields),
            identities=[_identity(event, self.declaration.identity) for event in fields],
        )

    def _header(self, fields: list[Fields]) -> dict[str, list[Any]]:
        columns = {
            column: column_of(column, [_first(event, picks) for event in fields])
            for column, picks in self.declaration.header.items()
        }
        return {column: values for column, values in columns.items() if values is not None}

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


class _Chunk:
    """What all groups of one chunk share."""

    def __init__(self, records: Sequence[bytes], places: list[int], context: dict[str, Any]) -> None:
        self.records = records
        self.places = places
        self.context = context
        self.zone = zone_of(context.get("zone"))


def _names_of_type(declaration: Declaration) -> frozenset[str]:
    """The fields whose values decide a record's type."""
    names = {name.field for name in (declaration.dataset, *declaration.logsource.values()) if name.field}
    return frozenset(names | set(declaration.constants))


def _needed(declaration: Declaration) -> frozenset[str]:
    """The fields that are read whatever the rules want."""
    picks = [*declaration.header.values(), *declaration.fields.values()]
    names = {pick.field for several in picks for pick in several} | {name for name, _ in declaration.times}
    return frozenset(names | set(declaration.identity) | _names_of_type(declaration))


def _named(name: Name, said: Fields) -> str:
    """A fixed name, or prefix and value of a field; empty when the value is not fit for a name."""
    if not name.field:
        return name.fixed
    value = said.get(name.field)
    return name.fixed + value if isinstance(value, str) and SAFE_NAME.fullmatch(value) else ""


def _first(fields: Fields, picks: tuple[Pick, ...]) -> Any:
    """The value of the first pick that has any content."""
    for pick in picks:
        value = fields.get(pick.field) if len(pick) == 1 else pick.of(fields)
        if value is not None and not (isinstance(value, str) and value in EMPTY):
            return value
    return None


def _add_fields(fields: Fields, added: dict[str, tuple[Pick, ...]]) -> None:
    """Set the declared names that the record does not have itself."""
    found = {name: _first(fields, picks) for name, picks in added.items() if name not in fields}
    for name, value in found.items():
        if value is not None:
            fields[name] = value


def _time(fields: Fields, times: tuple[tuple[str, str], ...], zone: tzinfo) -> int | None:
    for name, kind in times:
        value = fields.get(name)
        time = None if value is None else _read_time(value, kind, zone)
        if time is not None:
            return time
    return None


def _read_time(value: Any, kind: str, zone: tzinfo) -> int | None:
    if kind == "iso":
        return iso_us(value, zone)
    if kind == "any":
        return any_us(value, zone)
    return format_us(value, kind, zone) if "%" in kind else epoch_us(value, kind)


def _identity(fields: Fields, names: tuple[str, ...]) -> str | None:
    values = [fields.get(name) for name in names]
    return None if not values or None in values else "|".join(map(str, values))
