"""Events out of syslog lines, however the lines came: their type, fields and header columns."""

from datetime import tzinfo
from functools import cache
from operator import itemgetter
from typing import Any

from collectors.header import address_of, column_of, first_values, port_of
from collectors.syslog_device import DEVICE_HEADER, READINGS, Kind, dated, fortigate_us, kind_of_device
from collectors.syslog_header import FACILITIES, SEVERITIES, Line
from collectors.syslog_meaning import OTHER, Meaning, Program, known_programs, program_of
from collectors.timestamp import iso_us
from soc_model.event import EventType
from soc_model.source import Logsource

HEADER_CHARACTERS = 1024
Fields = dict[str, Any]

#: Lines that are no syslog.
UNREAD = Kind("linux", "", "", "?")
#: Services whose messages are more than text.
_READ_SERVICES = frozenset({"auditd", "clamav", "sudo", "sysmon"})
#: The columns of lines.
_TIME, _PRI, _DATA = (itemgetter(Line._fields.index(name)) for name in ("time", "pri", "data"))
_DEVICES = (
    Logsource(product="linux", category="firewall", service="iptables"),
    Logsource(product="cisco", service="syslog"),
    Logsource(product="cisco", service="aaa"),
    Logsource(product="cisco", category="firewall", service="asa"),
    Logsource(product="huawei", service="*"),
    Logsource(product="juniper", service="*"),
    Logsource(product="fortigate", service="*"),
    Logsource(product="fortigate", category="firewall", service="traffic"),
    Logsource(product="paloalto", service="*"),
    Logsource(product="paloalto", category="firewall", service="traffic"),
    Logsource(product="paloalto", category="firewall", service="threat"),
    Logsource(product="paloalto", category="appliance", service="globalprotect"),
)


def services_of_programs() -> list[Logsource]:
    """The logsources that lines of hosts carry where the source says nothing else."""
    services = {OTHER.service, *(program.service for program in known_programs().values())}
    return [Logsource(product="linux", service=service) for service in sorted(services)]


def services_of_lines() -> list[Logsource]:
    """The same for lines that devices may send too."""
    return [*services_of_programs(), *_DEVICES]


def by_kind(lines: list[Line]) -> dict[Kind, list[int]]:
    """The indexes of the lines of each kind."""
    members: dict[Kind, list[int]] = {}
    known: dict[str, list[int]] = {}  # by programs that are known, whatever their messages say
    for i, line in enumerate(lines):
        at = known.get(line.program)
        if at is None:
            program = program_of(line.program)
            at = members.setdefault(_kind(line, program), [])
            if program is not OTHER:
                known[line.program] = at
        at.append(i)
    return members


def _kind(line: Line, program: Program) -> Kind:
    if line.why:
        return UNREAD
    if program is OTHER and (found := kind_of_device(line)) is not None:
        return found
    return _kind_of_service(program.service)


@cache
def _kind_of_service(service: str) -> Kind:
    return Kind("linux", "", service, service if service in _READ_SERVICES else "")


def event_type(kind: Kind, context: dict[str, Any]) -> EventType:
    """The type of the events of a kind; what the source declares goes first."""
    declared: dict[str, str] = context.get("logsource") or {}
    logsource = Logsource(
        product=declared.get("product") or kind.product,
        category=declared.get("category") or kind.category,
        service=declared.get("service") or kind.service,
    )
    return EventType(f"{kind.product}.{kind.service or 'other'}", logsource)


def all_fields(lines: list[Line], kind: Kind) -> list[Fields]:
    """``fields_of`` each line; most say message, program, process id and host and nothing else."""
    if kind.reading:
        return [fields_of(line, kind) for line in lines]
    return [
        {"message": message, "program": program, "pid": pid, "procid": pid, "hostname": hostname}
        if pid is not None and hostname is not None and program and pri is None and msgid is None and data is None
        else fields_of(line, kind)
        for line in lines
        for message, program, pid, hostname, pri, _, msgid, data, _ in (line,)
    ]


def as_written(lines: list[Line], kind: Kind) -> bool:
    """Whether all that the fields of the lines hold stands in the lines as it is."""
    return not kind.reading and {None}.issuperset(map(_PRI, lines)) and not any(map(_DATA, lines))


def fields_of(line: Line, kind: Kind) -> Fields:
    """What a line says, by field name."""
    if kind is UNREAD:
        return {"message": line.message}
    fields: Fields = {"message": line.message}
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
    read = READINGS.get(kind.reading)
    return fields if read is None else fields | read(line)


def with_dates(lines: list[Line], zone: tzinfo) -> list[Line]:
    """The lines, of network devices with time and host as those write them."""
    if None not in map(_TIME, lines):
        return lines
    return [dated(line, zone) if line.time is None and not line.why else line for line in lines]


def times_of(lines: list[Line], fields: list[Fields], kind: Kind) -> list[int | None]:
    """When the events happened: what their own fields say, else the line."""
    if kind.reading == "sysmon":
        return [iso_us(one.get("SystemTime")) or line.time for one, line in zip(fields, lines, strict=True)]
    if kind.reading == "fortigate":
        return [fortigate_us(one) or line.time for one, line in zip(fields, lines, strict=True)]
    return [line.time for line in lines]


def header_of(lines: list[Line], fields: list[Fields], kind: Kind) -> dict[str, list[Any]]:
    """The header columns of lines of one kind; a column that none of them has is left out."""
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
    header = {name: values for name, values in columns.items() if values.count(None) < len(values)}
    if kind.reading in READINGS:
        header = _device_header(fields) | header
    return header


def _device_header(fields: list[Fields]) -> dict[str, list[Any]]:
    found = {name: column_of(name, first_values(fields, names)) for name, names in DEVICE_HEADER.items()}
    return {name: values for name, values in found.items() if values is not None}
