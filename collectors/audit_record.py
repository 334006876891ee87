"""Linux audit records to fields: one event is one or more lines ``type=T msg=audit(TIME:SERIAL): name=value ...``.

Comes in: the lines of one event, in any number. Goes out: every name of every line (the values of a name that several
lines have as a list), ``type`` with all record types, and what is only to be had from several values: ``cmdline`` (the
EXECVE arguments joined, else PROCTITLE), ``created`` and ``deleted`` (paths by nametype), ``daddr`` and ``dport`` (of
SOCKADDR), ``initiated`` of a connect. Values that the kernel writes as hex because of their bytes are decoded. Where an
event has EXECVE, a0 ... are its arguments and not those of the system call.
Source: auditd's log file, audit_log_untrustedstring() in the kernel, and the field dictionary of linux-audit.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from collectors.tables import read_table

Fields = dict[str, Any]

HEAD = re.compile(r"(?:node=(\S{1,255}) )?type=(\S{1,64}) msg=audit\((\d{1,12})\.(\d{3}):(\d{1,20})\) ?: ?")
_PAIR = re.compile(r"([A-Za-z][\w-]{0,63})=(?:\"([^\"]*)\"|'([^']*)'|(\{[^}]*\})|([^\s\"']*))")
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_ARGUMENT = re.compile(r"a\d+(?:\[\d+\])?")
_LONG = re.compile(r"(?:^| )(a\d+)(?:\[(\d+)\])?=(?:\"([^\"]*)\"|(\S*))")
#: Fields that the kernel or auditd write as hex where they hold a quote, a space or a control character.
_UNTRUSTED = frozenset(
    [
        "acct",
        "cmd",
        "comm",
        "cwd",
        "data",
        "dir",
        "exe",
        "file",
        "grp",
        "key",
        "name",
        "new_group",
        "ocomm",
        "old-disk",
        "new-disk",
        "path",
        "proctitle",
        "unit",
        "vm",
    ]
)
_ENRICHED = "\x1d"  # stands between a record and what auditd adds to it (log_format = ENRICHED)
_CONNECT = "connect"
_EMPTY = frozenset({"", "(null)", "?", "(none)"})


class AuditLine(NamedTuple):
    """One line: where it is from, what it is, which event it belongs to, and where its text begins."""

    node: str
    type: str
    time: int
    serial: str
    text: str


def audit_line(text: str) -> AuditLine | None:
    """The parts of a line; ``None`` when it is no audit record."""
    found = HEAD.match(text)
    if found is None:
        return None
    node, kind, seconds, millis, serial = found.groups()
    return AuditLine(node or "", kind, int(seconds) * 1_000_000 + int(millis) * 1_000, serial, text[found.end() :])


def audit_fields(lines: Sequence[AuditLine]) -> Fields:
    """The fields of one event."""
    fields: Fields = {}
    kinds = [line.type for line in lines]
    arguments = _arguments(lines)
    for line in lines:
        if line.type != "EXECVE":
            for name, value in pairs(line.text):
                if not (arguments and _ARGUMENT.fullmatch(name)):
                    _add(fields, name, value)
    fields |= arguments
    fields["type"] = kinds[0] if len(kinds) == 1 else kinds
    if lines[0].node:
        fields["node"] = lines[0].node
    _add_syscall(fields)
    _add_command(fields, arguments)
    _add_paths(fields, lines)
    _add_peer(fields)
    return fields


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """The names and values of a record's text, with what stands inside ``msg='...'``; nulls are left out."""
    for name, double, single, nested, bare in _PAIR.findall(text.replace(_ENRICHED, " ")):
        if "=" in single:
            yield from pairs(single)
        elif nested:
            yield name, nested
            yield from pairs(nested[1:-1])
        else:
            value = double or single or _readable(name, bare)
            if value not in _EMPTY:
                yield name, value


def _readable(name: str, value: str) -> str:
    """A value without quotes: what the kernel had to write as hex is decoded."""
    if name in _UNTRUSTED and len(value) > 1 and _HEX.fullmatch(value):
        return unhex(value)
    return value


def unhex(digits: str) -> str:
    """The text in hex digits; NULs between words are spaces."""
    return bytes.fromhex(digits).decode("utf-8", "backslashreplace").rstrip("\0").replace("\0", " ")


def _add(fields: Fields, name: str, value: str) -> None:
    held = fields.get(name)
    if held is None:
        fields[name] = value
    elif isinstance(held, list):
        held.append(value)
    elif held != value:
        fields[name] = [held, value]


def _arguments(lines: Sequence[AuditLine]) -> dict[str, Any]:
    """The arguments of EXECVE records by name, decoded; the pieces of long ones (``a1[0]=`` ...) are joined."""
    found: dict[str, str] = {}
    for line in lines:
        if line.type == "EXECVE":
            for name, _, quoted, bare in _LONG.findall(line.text):
                value = quoted or (unhex(bare) if _HEX.fullmatch(bare) else bare)
                found[name] = found.get(name, "") + value
    return dict(found)


@cache
def _syscalls() -> dict[str, dict[int, str]]:
    table: dict[str, dict[int, str]] = read_table("linux_syscalls")
    return table


def _add_syscall(fields: Fields) -> None:
    """The system call's name under SYSCALL, where auditd did not write it."""
    number, arch = fields.get("syscall"), fields.get("arch")
    if "SYSCALL" not in fields and isinstance(number, str) and isinstance(arch, str) and number.isdecimal():
        name = _syscalls().get(arch, {}).get(int(number[:9]))
        if name is not None:
            fields["SYSCALL"] = name


def _add_command(fields: Fields, arguments: dict[str, Any]) -> None:
    if arguments:
        ordered = sorted(arguments, key=lambda name: int(name[1:10]))
        fields["cmdline"] = " ".join(arguments[name] for name in ordered)
    elif isinstance(title := fields.get("proctitle"), str):
        fields["cmdline"] = title


def _add_paths(fields: Fields, lines: Sequence[AuditLine]) -> None:
    """The absolute paths that the event created or deleted."""
    cwd = fields.get("cwd")
    for line in lines:
        if line.type == "PATH":
            said = dict(pairs(line.text))
            name, kind = said.get("name"), {"CREATE": "created", "DELETE": "deleted"}.get(said.get("nametype", ""))
            if name and kind:
                absolute = name if name.startswith("/") or not isinstance(cwd, str) else f"{cwd.rstrip('/')}/{name}"
                _add(fields, kind, absolute)


def _add_peer(fields: Fields) -> None:
    """Address and port of a SOCKADDR record, and whether the process began the connection."""
    address, port = fields.get("laddr"), fields.get("lport")
    if address is None and isinstance(packed := fields.get("saddr"), str):
        address, port = _peer(packed)
    if isinstance(address, str):
        fields |= {"daddr": address, "dport": port}
        if fields.get("SYSCALL") == _CONNECT:
            fields["initiated"] = "true"


def _peer(packed: str) -> tuple[str | None, str | None]:
    """Address and port in a ``struct sockaddr`` of AF_INET (2) or AF_INET6 (10), written as hex on little-endian."""
    if not _HEX.fullmatch(packed):
        return None, None
    data = bytes.fromhex(packed)
    family, port = int.from_bytes(data[:2], "little"), str(int.from_bytes(data[2:4], "big"))
    if family == 2 and len(data) >= 8:
        return ".".join(map(str, data[4:8])), port
    if family == 10 and len(data) >= 24:
        address = IPv6Address(data[8:24])
        return str(address.ipv4_mapped or address), port
    return None, None
