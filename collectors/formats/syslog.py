"""Syslog lines: RFC 5424 with structured data, RFC 3164, and syslog files with BSD or ISO times.

Fields: message, program, pid (procid in RFC 5424 too), hostname, facility, severity, msgid, and ``sd.ID.NAME``; of
audit records, sudo, Sysmon for Linux, firewalls and network devices also what their messages say
(``collectors.syslog_device``). Logsource: product linux, service by program; of devices their own. Options: ``codec``,
``zone`` (IANA name) of times that do not say theirs. The year of an RFC 3164 time is guessed from ``received``.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from collectors.format import Cut
from collectors.lines import cut_lines, sample_lines, starts, texts_of
from collectors.syslog_device import Kind
from collectors.syslog_event import (
    UNREAD,
    all_fields,
    as_written,
    by_kind,
    event_type,
    header_of,
    services_of_lines,
    times_of,
    with_dates,
)
from collectors.syslog_header import Line, line_reader
from collectors.timestamp import zone_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

name = "syslog"
own_numbers = False
DECODER_NAME = "syslog@1"
T = TypeVar("T")


def recognise(head: bytes, path: str) -> bool:
    """Whether most of the first lines have a priority or a time, and none begins like JSON."""
    lines = sample_lines(head)
    read = line_reader(0, zone_of(""))
    found = sum(not read(line.decode("utf-8", "backslashreplace")).why for line in lines)
    return found > len(lines) // 2


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """Lines."""
    return cut_lines(data, context, final)


def logsources() -> list[Logsource]:
    """The logsources its events carry where the source says nothing else."""
    return services_of_lines()


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per line, grouped by what they are."""
    zone, whole = zone_of(context.get("zone")), b"\n".join(records)
    texts = texts_of(records, context)
    if b"\0" in whole:
        texts = [text.lstrip("\0") for text in texts]
    lines = with_dates(list(map(line_reader(context.get("received") or 0, zone), texts)), zone)
    members = by_kind(lines)
    groups = [_group(event_type(kind, context), kind, _those(lines, at)) for kind, at in members.items()]
    _place(groups, list(members.values()), records)
    if not _is_utf8(whole, context):
        for group in groups:
            group.plain = False
    return groups


def _is_utf8(whole: bytes, context: dict[str, Any]) -> bool:
    """Whether texts are what their bytes are, without one that could not be read."""
    if (context.get("codec") or "utf-8") != "utf-8":
        return False
    try:
        whole.decode()
    except UnicodeDecodeError:
        return False
    return True


def _place(groups: list[EventGroup], members: list[list[int]], records: Sequence[bytes]) -> None:
    """Tell each group which records its events came from."""
    places = starts(records)
    for group, at in zip(groups, members, strict=True):
        group.records = at
        group.raws = _those(records, at)
        group.bytes_at = _those(places, at)


def _those(items: Sequence[T], at: list[int]) -> list[T]:
    """The items at some indexes, which are in order; nearly always they are all."""
    return list(items) if len(at) == len(items) else [items[i] for i in at]


def _group(type_: EventType, kind: Kind, lines: list[Line]) -> EventGroup:
    group = EventGroup(
        type=type_,
        decoder=DECODER_NAME,
        fields=all_fields(lines, kind),
        raws=[],
        times=[],
        bytes_at=[],
        records=[],
        unparsed={n: line.why for n, line in enumerate(lines)} if kind is UNREAD else {},
        plain=as_written(lines, kind),
    )
    group.later(partial(_complete, kind=kind, lines=lines))
    return group


def _complete(group: EventGroup, kind: Kind, lines: list[Line]) -> None:
    """Fill in times and header."""
    group.times = times_of(lines, group.fields, kind)
    group.header = header_of(lines, group.fields, kind)
