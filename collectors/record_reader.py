"""How the records of a declared format are written: what cuts them out of a stream, and what reads their fields.

``json``     one object a line, or the objects of a list in an envelope (``collectors.envelope``)
``text``     a line is its own ``message``
``pairs``    ``name=value`` pairs, values quoted or not; the whole line is ``message``
``columns``  columns between blanks, of the names that are declared; one in quotes or brackets is one column
``header``   the same, with the names in lines of the log itself that begin with a mark (``#Fields: ...``). Those lines
             are no records: they travel in the context, the latest of each number of columns. Others that begin with
             the first sign of the mark are left out too, but for ``#path`` and the like, whose values become fields.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from collectors.envelope import Envelope
from collectors.json_record import Object, Objects, read_objects
from collectors.lines import Cut, cut_lines, sample_lines, text_of

_COLUMN = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_SETTING = re.compile(r"([A-Za-z_][\w.-]{0,63})=(?:\"((?:[^\"\\]|\\.)*)\"|(\S*))")
_EMPTY = ("-", "", None)
_COLUMNS = "columns"  # in the context: the names of the columns, by their number
_SAID = "said"  # in the context: what other lines of the header say
_HEADERS = 8
_LONG = 64 * 1024  # of a header line


class Reading(NamedTuple):
    """What a declaration says of how records are written."""

    kind: str = "json"
    inside: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    mark: str = ""
    separator: str = ""
    said: tuple[tuple[str, str], ...] = ()


class RecordReader(Protocol):
    """Two pure functions: records out of a stream, objects out of records."""

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut: ...

    def read(self, records: Sequence[bytes], context: dict[str, Any]) -> Objects: ...


def reader_of(reading: Reading) -> RecordReader:
    """The reader of what is declared."""
    if reading.kind == "json":
        return JsonReader(reading.inside)
    return HeaderReader(reading) if reading.kind == "header" else LineReader(reading)


def first_objects(reader: RecordReader, head: bytes) -> list[Object | None]:
    """What the first records of a file's beginning hold; ``None`` is what cannot be read."""
    if isinstance(reader, JsonReader) and not reader.has_envelope:
        return reader.read(sample_lines(head), {}).values
    cut = reader.cut(head, {}, True)
    return reader.read(cut.records[:20], cut.context).values


class JsonReader:
    """Objects, one a line or in an envelope."""

    def __init__(self, inside: tuple[str, ...]) -> None:
        self.has_envelope = bool(inside)
        self._envelope = Envelope(inside)

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        return self._envelope.cut(data, context, final) if self.has_envelope else cut_lines(data, context, final)

    def read(self, records: Sequence[bytes], context: dict[str, Any]) -> Objects:
        return read_objects(records, context)


class LineReader:
    """Lines of text, of pairs, or of columns whose names are declared."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        return cut_lines(data, context, final)

    def read(self, records: Sequence[bytes], context: dict[str, Any]) -> Objects:
        lines = [text_of(record, context) for record in records]
        if self._reading.kind == "text":
            return Objects([{"message": line} for line in lines], {}, True)
        values = [self._fields(line) for line in lines]
        why = "no pairs" if self._reading.kind == "pairs" else f"not {len(self._reading.names)} columns or more"
        return Objects(values, {i: why for i, value in enumerate(values) if value is None}, True)

    def _fields(self, line: str) -> Object | None:
        if self._reading.kind == "pairs":
            found = _pairs(line)
            return {"message": line, **found} if found else None
        names = self._reading.names
        columns = list(islice(_COLUMN.finditer(line), len(names)))
        if len(columns) < sum(not name.endswith("?") for name in names):
            return None
        fields = {
            name.rstrip("?"): line[one.start() :] if name[-1] == "*" else one[1] or one[2] or one[3]
            for name, one in zip(names, columns, strict=False)
            if name != "-"
        }
        return {name.rstrip("*"): value for name, value in fields.items() if value not in _EMPTY}


def _pairs(line: str) -> Object:
    fields: Object = {}
    for name, quoted, bare in _SETTING.findall(line):
        fields.setdefault(name, quoted or bare)
    return fields


class HeaderReader:
    """Columns whose names stand in lines of the log itself."""

    def __init__(self, reading: Reading) -> None:
        self._mark = reading.mark
        self._sign = reading.mark[0]
        self._separator = reading.separator or None
        self._said = dict(reading.said)

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut:
        lines = cut_lines(data, context, final)
        sign = self._sign.encode(str(lines.context.get("codec", "utf-8")), "replace")
        if not any(line.startswith(sign) for line in lines.records):
            return lines
        kept, learnt = [], dict(lines.context)
        for line in lines.records:
            text = text_of(line, lines.context) if line.startswith(sign) else ""
            if text.startswith(self._sign):
                self._learn(text[:_LONG], learnt)
            else:
                kept.append(line)
        return Cut(kept, lines.rest, learnt)

    def _learn(self, line: str, context: dict[str, Any]) -> None:
        if line.startswith(self._mark):
            names = self._split(line[len(self._mark) :].strip(" \t"))
            held = {**(context.get(_COLUMNS) or {}), str(len(names)): names}
            context[_COLUMNS] = dict(list(held.items())[-_HEADERS:])
        for mark, name in self._said.items():
            if line.startswith(mark):
                context[_SAID] = {**(context.get(_SAID) or {}), name: line[len(mark) :].strip()}

    def _split(self, text: str) -> list[str]:
        return text.split(self._separator)

    def read(self, records: Sequence[bytes], context: dict[str, Any]) -> Objects:
        headers: dict[str, list[str]] = context.get(_COLUMNS) or {}
        said: dict[str, str] = context.get(_SAID) or {}
        values: list[Object | None] = []
        broken = {}
        for i, record in enumerate(records):
            columns = self._split(text_of(record, context))
            names = headers.get(str(len(columns)))
            values.append(None if names is None else {**said, **_filled(names, columns)})
            if names is None:
                broken[i] = f"{len(columns)} columns, and no header of so many"
        return Objects(values, broken, True)


def _filled(names: list[str], columns: list[str]) -> Object:
    """The columns that have a value; ``-`` and ``(empty)`` are none."""
    pairs = zip(names, columns, strict=True)
    return {name: value for name, value in pairs if value not in ("-", "(empty)", "")}
