"""Syslog lines: RFC 5424 with structured data, RFC 3164, and syslog files with BSD or ISO times.

Fields: message, program, pid (procid in RFC 5424 too), hostname, facility, severity, msgid, and ``sd.ID.NAME``; of
auditd messages also their ``key=value`` pairs. Logsource: product linux, service by program. Options: ``codec``,
``zone`` (IANA name) of times that do not say theirs. The year of an RFC 3164 time is guessed from ``received``.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from collectors.format import Cut
from collectors.lines import cut_lines, sample_lines, starts, texts_of
from collectors.syslog_event import by_service, event_type, fields_of, header_of, services_of_programs
from collectors.syslog_header import Line, line_reader
from collectors.timestamp import zone_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

name = "syslog"
own_numbers = False
DECODER_NAME = "syslog@1"


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
    return services_of_programs()


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per line, grouped by service."""
    read = line_reader(context.get("received") or 0, zone_of(context.get("zone")))
    lines = [read(text.lstrip("\0")) for text in texts_of(records, context)]
    members = by_service(lines)
    groups = []
    for service, at in members.items():
        type_ = event_type(service, context)
        groups.append(_group(type_, [lines[i] for i in at], wanted(type_)))
    _place(groups, list(members.values()), records)
    return groups


def _place(groups: list[EventGroup], members: list[list[int]], records: Sequence[bytes]) -> None:
    """Tell each group which records its events came from."""
    places = starts(records)
    for group, at in zip(groups, members, strict=True):
        group.records = at
        group.raws = [records[i] for i in at]
        group.bytes_at = [places[i] for i in at]


def _group(type_: EventType, lines: list[Line], names: frozenset[str] | None) -> EventGroup:
    unparsed = {n: line.why for n, line in enumerate(lines) if line.why}
    group = EventGroup(
        type=type_,
        decoder=DECODER_NAME,
        fields=[{"message": line.message} if line.why else fields_of(line, type_, names) for line in lines],
        raws=[],
        times=[],
        bytes_at=[],
        records=[],
        unparsed=unparsed,
    )
    group.later(partial(_complete, lines=lines))
    return group


def _complete(group: EventGroup, lines: list[Line]) -> None:
    """Fill in times and header."""
    group.times = [line.time for line in lines]
    group.header = header_of(lines)
