"""Syslog lines: RFC 5424 with structured data, RFC 3164, and syslog files with BSD or ISO times.

Fields: message, program, pid (procid in RFC 5424 too), hostname, facility, severity, msgid, and ``sd.ID.NAME``; of
auditd messages also their ``key=value`` pairs. Logsource: product linux, service by program. Options: ``codec``,
``zone`` (IANA name) of times that do not say theirs. The year of an RFC 3164 time is guessed from ``received``.
"""

import re
from collections.abc import Sequence
from typing import Any

from collectors.format import Cut
from collectors.header import address_of, port_of
from collectors.lines import cut_lines, sample_lines, starts, text_of
from collectors.syslog_header import FACILITIES, SEVERITIES, Line, line_reader
from collectors.syslog_meaning import OTHER, Meaning, known_programs, program_of
from collectors.timestamp import zone_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

name = "syslog"
own_numbers = False
DECODER_NAME = "syslog@1"
_PAIR = re.compile(r"([A-Za-z][\w-]{0,63})=(?:\"([^\"]{0,8192})\"|'([^']{0,8192})'|([^\s\"']{1,8192}))")
HEADER_CHARACTERS = 1024


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
    services = {OTHER.service, *(program.service for program in known_programs().values())}
    return [Logsource(product="linux", service=service) for service in sorted(services)]


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per line, grouped by service."""
    read = line_reader(context.get("received") or 0, zone_of(context.get("zone")))
    lines = [read(text_of(record, context).lstrip("\0")) for record in records]
    members: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        members.setdefault("?" if line.why else program_of(line.program).service, []).append(i)
    groups = []
    for service, at in members.items():
        type_ = _event_type(service, context)
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


def _event_type(service: str, context: dict[str, Any]) -> EventType:
    service = "" if service == "?" else service
    declared: dict[str, str] = context.get("logsource") or {}
    logsource = Logsource(
        product=declared.get("product") or "linux",
        category=declared.get("category") or "",
        service=declared.get("service") or service,
    )
    return EventType(f"linux.{service or 'other'}", logsource)


def _group(type_: EventType, lines: list[Line], names: frozenset[str] | None) -> EventGroup:
    unparsed = {n: line.why for n, line in enumerate(lines) if line.why}
    return EventGroup(
        type=type_,
        decoder=DECODER_NAME,
        fields=[{"message": line.message} if line.why else _fields(line, type_, names) for line in lines],
        raws=[],
        times=[line.time for line in lines],
        bytes_at=[],
        records=[],
        header=_header(lines),
        unparsed=unparsed,
    )


def _fields(line: Line, type_: EventType, names: frozenset[str] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"message": line.message}
    if line.program:
        fields["program"] = line.program
    if line.pid is not None:
        fields["pid"] = fields["procid"] = line.pid
    if line.hostname is not None:
        fields["hostname"] = line.hostname
    if line.pri is not None:
        fields["facility"] = FACILITIES[line.pri >> 3]
        fields["severity"] = SEVERITIES[line.pri & 7]
    if line.msgid is not None:
        fields["msgid"] = line.msgid
    if line.data:
        fields |= line.data
    if type_.dataset == "linux.auditd" and (names is None or names - fields.keys()):
        fields = _pairs(line.message) | fields
    return fields


def _pairs(message: str) -> dict[str, Any]:
    """The ``key=value`` pairs of an audit record; the first of each name."""
    pairs: dict[str, Any] = {}
    for key, double, single, bare in _PAIR.findall(message):
        pairs.setdefault(key, double or single or bare)
    return pairs


def _header(lines: list[Line]) -> dict[str, list[Any]]:
    meanings = [Meaning() if line.why else program_of(line.program).meaning(line.message) for line in lines]
    columns: dict[str, list[Any]] = {
        "host.name": [line.hostname for line in lines],
        "message": [line.message[:HEADER_CHARACTERS] for line in lines],
        "event.action": [meaning.action for meaning in meanings],
        "event.outcome": [meaning.outcome for meaning in meanings],
        "user.name": [meaning.user or None for meaning in meanings],
        "source.ip": [meaning.address and address_of(meaning.address) for meaning in meanings],
        "source.port": [meaning.port and port_of(meaning.port) for meaning in meanings],
    }
    return {name: values for name, values in columns.items() if values.count(None) < len(values)}
