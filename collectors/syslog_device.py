"""What messages of devices and daemons say beyond their text: one function a way of writing, fields out.

Comes in: a syslog line whose program is known to write so, or whose message looks so (``kind_of_device``). Goes out:
the fields of that message; addresses, ports and verdicts of firewalls also under Sigma's names for category firewall
(src_ip, dst_ip, src_port, dst_port, action, blocked). Never raises; a message that is none of it has no fields.
Sources: Cisco IOS and ASA system message guides, Huawei VRP log reference, Junos system log reference, FortiOS log
message reference, PAN-OS syslog field descriptions, Linux netfilter LOG target, sudoers(5), Sysmon for Linux.
"""

import csv
import re
from collections.abc import Callable
from datetime import tzinfo
from functools import cache
from typing import Any, NamedTuple

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from collectors.audit_record import audit_fields, audit_line, pairs
from collectors.syslog_header import Line
from collectors.tables import read_table
from collectors.timestamp import MONTHS, epoch_us, iso_us

Fields = dict[str, Any]


class Kind(NamedTuple):
    """What a syslog line is: the parts of its logsource, and how its message is read ("" = it is only text)."""

    product: str
    category: str
    service: str
    reading: str = ""


_CISCO = re.compile(r"%([A-Z][A-Z0-9_]*(?:-[A-Z][A-Z0-9_]*)*)-([0-7])-([A-Z0-9_]+)")
_HUAWEI = re.compile(r"%%01(\w+)/([0-7])/(\w+)(?:\((\w)\))?")
_PALOALTO = re.compile(r"1,\d{4}/\d\d/\d\d \d\d:\d\d:\d\d,[^,]*,([A-Z-]+),")
_FORTIGATE = re.compile(r"(?:.{0,64} )?(?:date=|logver=|devname=|time=).{0,256}\blogid=")
_SETTING = re.compile(r"(\w[\w.-]{0,63})=(?:\"((?:[^\"\\]|\\.)*)\"|(\S*))")
_SUDO = re.compile(r"(?:^| ; | : )([A-Z]{2,12})=")
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{2,31}")
_FOUND = re.compile(r"(?:.{0,64} -> )?(.{1,4096}): (\S{1,255}) FOUND\s*")
_FILTERED = re.compile(r"(?:^|\s)([A-Z]{2,7})=(\S*)")
_VERDICT = re.compile(r"\b(DROP|REJECT|DENY|BLOCK|ACCEPT|ALLOW|PASS)(?:PED|ED)?\b", re.IGNORECASE)
_AAA = frozenset({"AAA", "AAAA", "PARSER", "TACACS", "TAC+", "HA_EM"})
_ALLOWED = frozenset(
    ["accept", "accepted", "allow", "allowed", "close", "est-allowed", "forward", "pass", "permit", "permitted"]
)
_DENIED = frozenset(
    [
        "block",
        "blocked",
        "denied",
        "deny",
        "drop",
        "dropped",
        "inbound",
        "reject",
        "reset-both",
        "reset-client",
        "reset-server",
    ]
)
_DATED = re.compile(
    r"(?:\d{1,12}: )?[*.]?([A-Z][a-z]{2}) ([ \d]\d) (\d{4}) (\d\d:\d\d:\d\d)(?:\.\d{1,6})? ([^\s:%]{1,255})? ?:? ?"
)
_LOOKED_AT = 300  # characters in which a device's mark stands

FORTIGATE_NAMES = {
    "src_ip": "srcip",
    "dst_ip": "dstip",
    "src_port": "srcport",
    "dst_port": "dstport",
}
NETFILTER_NAMES = {"src_ip": "SRC", "dst_ip": "DST", "src_port": "SPT", "dst_port": "DPT", "protocol": "PROTO"}


def kind_of_device(line: Line) -> Kind | None:
    """What a line of no well-known program is; ``None`` when it is no device's."""
    program, message = line.program, line.message
    if program in ("kernel", "/kernel"):
        return _kernel(program, message)
    if program and program[0] != "%" and not program.isdecimal():
        return _programs().get(program)
    return _marked(f"{program}: {message[:_LOOKED_AT]}" if program[:1] == "%" else message[:_LOOKED_AT], message)


def _kernel(program: str, message: str) -> Kind | None:
    if " SRC=" in message and " DST=" in message:
        return Kind("linux", "firewall", "iptables", "netfilter")
    return Kind("juniper", "", "kernel") if program == "/kernel" else None


@cache
def _programs() -> dict[str, Kind]:
    """The devices that are told by the program's name."""
    table: dict[str, dict[str, list[str]]] = read_table("syslog_programs_of_devices")
    return {
        program: Kind(product, "", service)
        for product, services in table.items()
        for service, programs in services.items()
        for program in programs
    }


def _marked(head: str, message: str) -> Kind | None:
    if "%" in head:
        if (found := _HUAWEI.search(head)) is not None:
            return Kind("huawei", "", found[1].lower(), "huawei")
        if (found := _CISCO.search(head)) is not None:
            return _cisco_kind(found[1])
    if "logid=" in message[:_LOOKED_AT] and _FORTIGATE.match(message):
        return _fortigate_kind(message)
    if (found := _PALOALTO.match(head)) is not None:
        category = {"TRAFFIC": "firewall", "THREAT": "firewall", "GLOBALPROTECT": "appliance"}.get(found[1], "")
        return Kind("paloalto", category, found[1].lower(), "paloalto")
    return None


def _cisco_kind(facility: str) -> Kind:
    if facility in ("ASA", "FTD", "PIX", "FWSM"):
        return Kind("cisco", "firewall", "asa", "asa")
    return Kind("cisco", "", "aaa" if facility in _AAA else "syslog", "cisco")


def _fortigate_kind(message: str) -> Kind:
    said = re.search(r"\btype=\"?(\w{1,32})", message[:1024])
    service = said[1] if said else ""
    return Kind("fortigate", "firewall" if service == "traffic" else "", service, "fortigate")


def dated(line: Line, zone: tzinfo) -> Line:
    """The line with time and host of a date with a year, as network devices write it, where it has no time yet."""
    found = _DATED.match(line.message) if line.time is None else None
    if found is None or found[1] not in MONTHS:
        return line
    time = iso_us(f"{found[3]}-{MONTHS[found[1]]:02}-{found[2].replace(' ', '0')}T{found[4]}", zone)
    return line._replace(time=time, hostname=line.hostname or found[5], message=line.message[found.end() :])


def message_of(line: Line) -> str:
    """The whole message: of devices the mark was taken for a program."""
    return f"{line.program}: {line.message}" if line.program[:1] == "%" else line.message


def cisco(line: Line) -> Fields:
    """Facility, severity and mnemonic of an IOS message."""
    text = message_of(line)
    found = _CISCO.search(text, 0, _LOOKED_AT)
    if found is None:
        return {}
    return {"message": text, "facility_code": found[1], "severity_level": found[2], "mnemonic": found[3]}


def asa(line: Line) -> Fields:
    """The connection that an ASA message tells of, where it is one of the known numbers."""
    fields = cisco(line)
    for pattern in _asa_messages().get(str(fields.get("mnemonic")), ()):
        if (found := pattern.search(fields["message"], 0, 2048)) is not None:
            fields |= {name: value for name, value in found.groupdict().items() if value}
    if "action" in fields:
        fields["action"] = {"Built": "accept", "permitted": "accept"}.get(fields["action"], fields["action"].lower())
    return _judged(fields)


@cache
def _asa_messages() -> dict[str, tuple["re.Pattern[str]", ...]]:
    table: dict[str, list[str]] = read_table("cisco_asa_messages")
    return {number: tuple(map(re.compile, patterns)) for number, patterns in table.items()}


def huawei(line: Line) -> Fields:
    """Module, severity and mnemonic of a VRP message."""
    text = message_of(line)
    found = _HUAWEI.search(text, 0, _LOOKED_AT)
    if found is None:
        return {}
    return {"message": text, "module": found[1], "severity_level": found[2], "mnemonic": found[3]}


def settings(text: str) -> Fields:
    """The ``name=value`` pairs of a text, quoted or not; the first of each name."""
    fields: Fields = {}
    for name, quoted, bare in _SETTING.findall(text):
        fields.setdefault(name, quoted or bare)
    return fields


def fortigate(line: Line) -> Fields:
    """The fields of a FortiOS message, and its addresses under Sigma's names."""
    fields = settings(line.message)
    _rename(fields, FORTIGATE_NAMES)
    return _judged(fields)


def fortigate_us(fields: Fields) -> int | None:
    """The time of a FortiOS message: nanoseconds (seconds before version 6.2) since the epoch."""
    stamp = fields.get("eventtime", "")
    if not isinstance(stamp, str) or not stamp.isdecimal() or len(stamp) > 19:
        return None
    return epoch_us(int(stamp) // 1000 if len(stamp) > 16 else int(stamp), "us" if len(stamp) > 16 else "s")


@cache
def _paloalto_columns() -> dict[str, list[str]]:
    table: dict[str, list[str]] = read_table("paloalto_columns")
    return table


def paloalto(line: Line) -> Fields:
    """The columns of a PAN-OS message by name."""
    try:
        row = next(csv.reader([line.message]), [])
    except csv.Error:
        return {}
    names = _paloalto_columns()
    columns = names.get(row[3] if len(row) > 3 else "", names["SYSTEM"])
    return _judged({name: value for name, value in zip(columns, row, strict=False) if name and value})


def netfilter(line: Line) -> Fields:
    """The fields of a packet that netfilter logged; the verdict is what the rule's prefix says."""
    fields: Fields = {}
    for name, value in _FILTERED.findall(line.message):
        fields.setdefault(name, value)
    _rename(fields, NETFILTER_NAMES)
    prefix = line.message.partition("IN=")[0]
    if (verdict := _VERDICT.search(prefix)) is not None:
        fields["action"] = verdict[1].lower()
    return _judged(fields)


def sudo(line: Line) -> Fields:
    """TTY, PWD, USER, COMMAND ... of sudo's message."""
    found = list(_SUDO.finditer(line.message))
    ends = [one.start() for one in found[1:]] + [len(line.message)]
    return {one[1]: line.message[one.end() : end] for one, end in zip(found, ends, strict=False)}


def clamav(line: Line) -> Fields:
    """File and signature of a finding, under Sigma's names for category antivirus."""
    found = _FOUND.fullmatch(line.message)
    return {"Filename": found[1], "Signature": found[2]} if found is not None else {}


def auditd(line: Line) -> Fields:
    """The fields of one audit record; of the kernel's own lines (``audit: type=1400 audit(...): ...``) the pairs."""
    said = audit_line(line.message)
    if said is not None:
        return audit_fields([said])
    fields: Fields = {}
    for name, value in pairs(line.message):
        fields.setdefault(name, value)
    # The journal writes the type first, as a word: ``USER_AUTH pid=1 ...``.
    word = line.message.partition(" ")[0]
    if "type" not in fields and _TYPE.fullmatch(word):
        fields["type"] = word
    return fields


def sysmon(line: Line) -> Fields:
    """The fields of an event of Sysmon for Linux, under the names that Sysmon gives them."""
    text = line.message[line.message.find("<Event") :]
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError):
        return {}
    fields: Fields = {}
    for element in root.iter():
        tag, content = element.tag.rpartition("}")[2], element.text or ""
        if tag == "Data" and (name := element.get("Name")):
            fields[name.replace(" ", "")] = content
        elif tag in ("EventID", "Computer", "Channel", "EventRecordID"):
            fields[tag] = content
        elif tag == "TimeCreated":
            fields["SystemTime"] = element.get("SystemTime", "")
    return fields


def _judged(fields: Fields) -> Fields:
    """The fields with Sigma's ``blocked``, where their action is known."""
    action = str(fields.get("action", "")).lower()
    if action in _ALLOWED or action in _DENIED:
        fields["blocked"] = "true" if action in _DENIED else "false"
    return fields


def _rename(fields: Fields, names: dict[str, str]) -> None:
    for name, other in names.items():
        if other in fields:
            fields.setdefault(name, fields[other])


READINGS: dict[str, Callable[[Line], Fields]] = {
    "asa": asa,
    "auditd": auditd,
    "cisco": cisco,
    "clamav": clamav,
    "fortigate": fortigate,
    "huawei": huawei,
    "netfilter": netfilter,
    "paloalto": paloalto,
    "sudo": sudo,
    "sysmon": sysmon,
}
#: Header columns of what these read, each with the fields it is taken from, in order of preference.
DEVICE_HEADER: dict[str, tuple[str, ...]] = {
    "host.name": ("Computer", "devname"),
    "user.name": ("User", "user", "srcuser", "admin"),
    "source.ip": ("SourceIp", "src_ip", "srcip", "public_ip"),
    "source.port": ("SourcePort", "src_port"),
    "destination.ip": ("DestinationIp", "dst_ip"),
    "destination.port": ("DestinationPort", "dst_port"),
    "process.executable": ("Image",),
    "file.path": ("TargetFilename", "Filename"),
    "event.action": ("action", "mnemonic", "eventid", "subtype"),
    "event.code": ("EventID", "logid"),
}
