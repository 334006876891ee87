"""Windows events as NDJSON: flat (nxlog, Fluent Bit, OTRF datasets), nested (evtx_dump, the evtx crate, xmltodict), or
ECS (Winlogbeat).

Fields: Sigma's names (Channel, EventID, Provider_Name, Computer, EventRecordID ..., EventData names without spaces, and
md5, sha1, sha256, Imphash out of Hashes).
Logsource: product windows, service by Channel. Options: ``codec``, ``zone`` (of times that do not say theirs).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from collectors.format import Cut
from collectors.json_record import count_keys, key_signs, read_object, read_objects
from collectors.lines import cut_lines, sample_lines, starts, text_of
from collectors.windows_event import Events, event_groups, windows_logsources
from collectors.windows_nested import DECODER, common_fields
from collectors.windows_shape import Fields, flat_fields, flat_names, is_nested, nested_fields
from collectors.windows_winlog import is_winlog, winlog_fields
from soc_model.event import EventGroup, Wanted

name = "windows_json"
logsources = windows_logsources
own_numbers = False
DECODER_NAME = "windows_json@1"
FLAT_SIGNS = frozenset({"Channel", "EventID"})


def recognise(head: bytes, path: str) -> bool:
    """Whether a first line is a nested event, one of Winlogbeat, or has both Channel and EventID."""
    for line in sample_lines(head):
        value, _ = read_object(line, {})
        if value is not None and (is_nested(value) or is_winlog(value) or flat_fields(value).keys() >= FLAT_SIGNS):
            return True
    return False


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """Lines."""
    return cut_lines(data, context, final)


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per line."""
    fields, broken, changed = _fields(records, context)
    events = Events(
        changed=changed,
        fields=fields,
        raws=records,
        bytes_at=starts(records),
        records=range(len(records)),
        broken=broken,
        texts={i: text_of(records[i], context) for i in broken},
    )
    return event_groups(events, DECODER_NAME, context, wanted)


def _fields(
    records: Sequence[bytes], context: dict[str, Any]
) -> tuple[list[Fields | None], dict[int, str], frozenset[int]]:
    """The fields of each record, why some have none, and which records' values may not stand in them as JSON."""
    if records and records[0].lstrip()[:9] == b'{"Event":' and context.get("codec", "utf-8") == "utf-8":
        return _nested_lines(records, context)
    read = read_objects(records, context)
    shaped = flat_names if read.plain else _shaped
    fields = [value if value is None else shaped(value) for value in read.values]
    return fields, read.broken, read.changed if read.plain else frozenset(range(len(records)))


def _shaped(value: Fields) -> Fields:
    if is_nested(value):
        return nested_fields(value)
    return winlog_fields(value) if is_winlog(value) else flat_fields(value)


def _nested_lines(
    records: Sequence[bytes], context: dict[str, Any]
) -> tuple[list[Fields | None], dict[int, str], frozenset[int]]:
    """Lines of which most are nested events in the common shape."""
    fields: list[Fields | None] = []
    broken: dict[int, str] = {}
    layouts: set[int] = set()
    changed: list[int] = []
    for i, record in enumerate(records):
        event = _common(record, layouts)
        if event is None:
            value, why = read_object(record, context)
            if value is None:
                broken[i] = why
            event = value if value is None else _shaped(value)
            changed.append(i)
        fields.append(event)
    return fields, broken, frozenset(changed)


def _common(record: bytes, layouts: set[int]) -> Fields | None:
    """The fields of a record in the common shape in which no key stands twice; ``None`` for any other.

    The number of keys outside EventData tells: each number met is checked once by decoding in full.
    """
    try:
        found = common_fields(DECODER.decode(record))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if found is None:
        return None
    fields, named = found
    if record.count(b'":') - named in layouts:
        return fields
    signs = key_signs(record)
    if signs - named not in layouts:
        value, _ = read_object(record, {})
        if value is None or count_keys(value) != signs:
            return None
        layouts.add(signs - named)
    return fields
