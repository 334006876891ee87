"""Events out of syslog lines, however the lines came: their type, fields and header columns."""

import re
from typing import Any

from collectors.header import address_of, port_of
from collectors.syslog_header import FACILITIES, SEVERITIES, Line
from collectors.syslog_meaning import OTHER, Meaning, known_programs, program_of
from soc_model.event import EventType
from soc_model.source import Logsource

HEADER_CHARACTERS = 1024
_PAIR = re.compile(r"([A-Za-z][\w-]{0,63})=(?:\"([^\"]{0,8192})\"|'([^']{0,8192})'|([^\s\"']{1,8192}))")


def services_of_programs() -> list[Logsource]:
    """The logsources that syslog lines carry where the source says nothing else."""
    services = {OTHER.service, *(program.service for program in known_programs().values())}
    return [Logsource(product="linux", service=service) for service in sorted(services)]


def by_service(lines: list[Line]) -> dict[str, list[int]]:
    """The indexes of the lines of each Sigma service; ``?`` for those that are no syslog."""
    members: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        members.setdefault("?" if line.why else program_of(line.program).service, []).append(i)
    return members


def event_type(service: str, context: dict[str, Any]) -> EventType:
    """The type of a service's events; what the source declares goes first."""
    service = "" if service == "?" else service
    declared: dict[str, str] = context.get("logsource") or {}
    logsource = Logsource(
        product=declared.get("product") or "linux",
        category=declared.get("category") or "",
        service=declared.get("service") or service,
    )
    return EventType(f"linux.{service or 'other'}", logsource)


def fields_of(line: Line, type_: EventType, names: frozenset[str] | None) -> dict[str, Any]:
    """What a line says, by field name."""
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


def header_of(lines: list[Line]) -> dict[str, list[Any]]:
    """The header columns of lines of one type; a column that none of them has is left out."""
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
