"""The systemd journal as ``journalctl --output=json`` writes it, one object per line.

Fields: those of the journal under their own names, and those of the syslog format (message, program, pid, hostname,
facility, severity), so that a rule means the same by either way. Logsource: product linux, service by program. Values
that are no UTF-8 come as arrays of bytes, names that stand there more than once as arrays of values.
Source: systemd.journal-fields(7), and the Journal JSON Format of systemd.
"""

from collections.abc import Sequence
from typing import Any

from collectors.format import Cut
from collectors.json_record import Object, read_objects
from collectors.lines import cut_lines, sample_lines, starts, text_of
from collectors.syslog_device import Kind
from collectors.syslog_event import by_kind, event_type, fields_of, header_of, services_of_programs, times_of
from collectors.syslog_header import FACILITIES, SEVERITIES, Line
from collectors.timestamp import epoch_us
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

name = "journald"
own_numbers = False
DECODER_NAME = "journald@1"
_TELLING = {"__CURSOR", "__REALTIME_TIMESTAMP"}


def recognise(head: bytes, path: str) -> bool:
    """Whether the first lines are objects with a cursor and a journal time."""
    objects = read_objects(sample_lines(head), {}).values
    return bool(objects) and all(value is not None and value.keys() >= _TELLING for value in objects)


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """Lines."""
    return cut_lines(data, context, final)


def logsources() -> list[Logsource]:
    """The logsources its events carry where the source says nothing else."""
    return services_of_programs()


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per entry, grouped by service."""
    read = read_objects(records, context)
    entries = [None if value is None else {key: _value(item) for key, item in value.items()} for value in read.values]
    lines = [
        Line(text_of(records[i], context), why=read.broken[i]) if entry is None else _line(entry)
        for i, entry in enumerate(entries)
    ]
    places = starts(records)
    groups = []
    for kind, at in by_kind(lines).items():
        type_ = event_type(kind, context)
        groups.append(_group(type_, kind, [lines[i] for i in at], [entries[i] or {} for i in at]))
        groups[-1].raws = [records[i] for i in at]
        groups[-1].bytes_at = [places[i] for i in at]
        groups[-1].records = at
    return groups


def _group(type_: EventType, kind: Kind, lines: list[Line], entries: list[Object]) -> EventGroup:
    """The events of one type, before they are told where they stand."""
    said = [fields_of(line, kind) for line in lines]
    header = header_of(lines, said, kind)
    programs = [_text(entry.get("_EXE")) or None for entry in entries]
    if any(programs):
        header["process.executable"] = programs
    return EventGroup(
        type=type_,
        decoder=DECODER_NAME,
        fields=[{**entry, **_levels(entry), **fields} for entry, fields in zip(entries, said, strict=True)],
        raws=[],
        times=times_of(lines, said, kind),
        bytes_at=[],
        records=[],
        header=header,
        identities=[_text(entry.get("__CURSOR")) or None for entry in entries],
        unparsed={n: line.why for n, line in enumerate(lines) if line.why},
    )


def _line(entry: Object) -> Line:
    """An entry as the line that syslog would have made of it."""
    pid = _text(entry.get("_PID")) or _text(entry.get("SYSLOG_PID"))
    return Line(
        message=_text(entry.get("MESSAGE"), "\n"),
        program=_text(entry.get("SYSLOG_IDENTIFIER")) or _text(entry.get("_COMM")),
        pid=pid or None,
        hostname=_text(entry.get("_HOSTNAME")) or None,
        time=epoch_us(_text(entry.get("__REALTIME_TIMESTAMP")), "us"),
    )


def _levels(entry: Object) -> dict[str, str]:
    """The names of facility and severity; an entry may have either."""
    found = {}
    for field, number, names in (
        ("facility", "SYSLOG_FACILITY", FACILITIES),
        ("severity", "PRIORITY", SEVERITIES),
    ):
        digits = _text(entry.get(number))
        if digits.isascii() and digits.isdecimal() and len(digits) < 3 and int(digits) < len(names):
            found[field] = names[int(digits)]
    return found


def _value(value: Any) -> Any:
    """A field's value: an array of bytes is a text, and so is each one inside an array of values."""
    if not isinstance(value, list) or not value:
        return value
    if _is_bytes(value):
        return bytes(value).decode("utf-8", "backslashreplace")
    return [bytes(one).decode("utf-8", "backslashreplace") if _is_bytes(one) else one for one in value]


def _is_bytes(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one <= 255 for one in value)


def _text(value: Any, between: str = "") -> str:
    """A value as text; of several the first that has any, or all of them with something ``between``."""
    several = value if isinstance(value, list) else [value]
    texts = [str(one) for one in several if one is not None and not isinstance(one, list | dict)]
    return between.join(texts) if between else next(filter(None, texts), "")
