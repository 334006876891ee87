"""The Linux audit log as auditd writes it (``/var/log/audit/audit.log``, raw or enriched): an event has several lines.

A record is all the lines of one event, joined by LF. The lines of several events may stand between each other; an event
ends with its EOE or PROCTITLE line, at once where its first line is of a type that stands alone, or where a line two
seconds younger follows. auditd keeps EOE out of its file, streams of it have it: once one was seen, PROCTITLE ends
nothing. Records are handed on where no event is open, or at the latest after ``HELD_BYTES``.
Fields: ``collectors.audit_record``. Logsource: product linux, service auditd. Options: ``codec``.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from collectors.audit_record import AuditLine, Fields, audit_fields, audit_line
from collectors.format import Cut
from collectors.header import address_of, column_of, first_values
from collectors.lines import cut_lines, sample_lines, starts, text_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

name = "auditd"
own_numbers = False
DECODER_NAME = "auditd@1"
HELD_BYTES = 64 * 1024
APART_US = 2_000_000
_SEEN_EOE = "eoe"
#: Types that kernel events of several records may have (1300-1399 of linux/audit.h, and those that come with them).
_JOINED = frozenset(
    [
        "SYSCALL",
        "PATH",
        "IPC",
        "SOCKETCALL",
        "CONFIG_CHANGE",
        "SOCKADDR",
        "CWD",
        "EXECVE",
        "IPC_SET_PERM",
        "MQ_OPEN",
        "MQ_SENDRECV",
        "MQ_NOTIFY",
        "MQ_GETSETATTR",
        "KERNEL_OTHER",
        "FD_PAIR",
        "OBJ_PID",
        "BPRM_FCAPS",
        "CAPSET",
        "MMAP",
        "NETFILTER_PKT",
        "NETFILTER_CFG",
        "SECCOMP",
        "PROCTITLE",
        "FEATURE_CHANGE",
        "KERN_MODULE",
        "FANOTIFY",
        "TIME_INJOFFSET",
        "TIME_ADJNTPVAL",
        "BPF",
        "EVENT_LISTENER",
        "URINGOP",
        "OPENAT2",
        "DM_CTRL",
        "DM_EVENT",
        "AVC",
        "SELINUX_ERR",
        "AVC_PATH",
        "MAC_POLICY_LOAD",
        "MAC_STATUS",
        "MAC_CONFIG_CHANGE",
        "ANOM_PROMISCUOUS",
        "ANOM_ABEND",
        "ANOM_LINK",
        "EOE",
    ]
)
_HEADER = {
    "host.name": ("node",),
    "user.name": ("AUID", "acct", "UID", "auid", "uid"),
    "process.executable": ("exe",),
    "file.path": ("created", "deleted", "name"),
    "destination.ip": ("daddr",),
    "destination.port": ("dport",),
    "event.code": ("SYSCALL",),
    "message": ("cmdline", "op"),
}
_NOBODY = "4294967295"  # a login id that was never set
_OUTCOMES = {"yes": "success", "success": "success", "no": "failure", "failed": "failure", "1": "success"}


def recognise(head: bytes, path: str) -> bool:
    """Whether all of the first lines are audit records."""
    lines = sample_lines(head)
    return bool(lines) and all(audit_line(line.decode("utf-8", "backslashreplace")) for line in lines)


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """The lines of each event together; of events that are still open nothing, unless ``final``."""
    lines = cut_lines(data, context, final)
    if not lines.context.get("started"):
        return lines
    held = _Held(lines.context)
    whole, at = len(data) - len(lines.rest), 0
    records: list[bytes] = []
    done, context = 0, lines.context
    for line, end in _ends(data[:whole], lines.records):
        records_now = held.take(line, end - done)
        at = end
        if records_now:
            records += records_now
            done, context = at, dict(held.context)
    if final:
        return Cut(records + held.close(), b"", held.context)
    return Cut(records, data[done:], context)


def _ends(data: bytes, lines: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each line with where the next one begins."""
    at = 0
    for line in lines:
        at = data.index(line, at) + len(line)
        end = data.find(b"\n", at)
        at = len(data) if end < 0 else end + 1
        yield line, at


class _Open(NamedTuple):
    """An event that may go on: its time, its lines."""

    time: int
    lines: list[bytes]


class _Held:
    """The events since the last moment at which none was open."""

    def __init__(self, context: dict[str, Any]) -> None:
        self.context = dict(context)
        self._done: list[bytes] = []
        self._open: dict[tuple[str, str], _Open] = {}
        self._order: list[tuple[tuple[str, str], list[bytes]]] = []

    def take(self, line: bytes, held_bytes: int) -> list[bytes]:
        """The records that end with this line, once no other is open."""
        said = audit_line(text_of(line, self.context))
        if said is None:
            self._order.append((("", ""), [line]))
        else:
            self._add(said, line)
        if self._open and held_bytes < HELD_BYTES:
            return []
        return self.close()

    def close(self) -> list[bytes]:
        """All records, complete or not, in the order in which they began."""
        records = [b"\n".join(lines) for _, lines in self._order]
        self._open.clear()
        self._order.clear()
        return records

    def _add(self, said: AuditLine, line: bytes) -> None:
        key = (said.node, said.serial)
        for other in [other for other, one in self._open.items() if said.time - one.time > APART_US]:
            del self._open[other]
        if key in self._open:
            self._open[key].lines.append(line)
        else:
            self._order.append((key, [line]))
            if said.type in _JOINED and said.type != "EOE":
                self._open[key] = _Open(said.time, self._order[-1][1])
        if said.type == "EOE":
            self.context[_SEEN_EOE] = True
        if said.type == "EOE" or (said.type == "PROCTITLE" and not self.context.get(_SEEN_EOE)):
            self._open.pop(key, None)


def logsources() -> list[Logsource]:
    """The logsources its events carry where the source says nothing else."""
    return [Logsource(product="linux", service="auditd")]


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per record, all of one type; what is no audit record is a group of its own."""
    read = [_lines(record, context) for record in records]
    places = starts(records)
    groups = []
    for understood in (True, False):
        at = [i for i, lines in enumerate(read) if bool(lines) is understood]
        if at:
            group = _group([read[i] for i in at], [records[i] for i in at], context)
            group.bytes_at, group.records = [places[i] for i in at], at
            groups.append(group)
    return groups


def _lines(record: bytes, context: dict[str, Any]) -> list[AuditLine]:
    """The record's lines; none when one of them is no audit record."""
    lines = [audit_line(line) for line in text_of(record, context).split("\n")]
    found = [line for line in lines if line is not None]
    return found if len(found) == len(lines) else []


def _group(read: list[list[AuditLine]], raws: list[bytes], context: dict[str, Any]) -> EventGroup:
    understood = bool(read[0])
    texts = [] if understood else [text_of(raw, context) for raw in raws]
    fields = [audit_fields(lines) for lines in read] if understood else [{"message": text} for text in texts]
    declared: dict[str, str] = context.get("logsource") or {}
    stated = {part: value for part, value in declared.items() if value}
    return EventGroup(
        type=EventType("linux.auditd", Logsource(**{"product": "linux", "service": "auditd", **stated})),
        decoder=DECODER_NAME,
        fields=fields,
        raws=raws,
        times=[lines[0].time if lines else None for lines in read],
        bytes_at=[],
        records=[],
        header=_header(fields, read) if understood else {"message": [text[:1024] for text in texts]},
        identities=None if not understood else [_identity(lines) for lines in read],
        unparsed={} if understood else dict.fromkeys(range(len(raws)), "no line of an audit log"),
    )


def _identity(lines: list[AuditLine]) -> str | None:
    """Node, time and serial, where the node is said: serials are those of one machine."""
    first = lines[0]
    return f"{first.node}|{first.time}|{first.serial}" if first.node else None


def _header(fields: list[Fields], read: list[list[AuditLine]]) -> dict[str, list[Any]]:
    header: dict[str, list[Any]] = {"event.action": [lines[0].type for lines in read]}
    for column, names in _HEADER.items():
        if (values := column_of(column, first_values(fields, names))) is not None:
            header[column] = values
    if (users := header.get("user.name")) is not None:
        header["user.name"] = [None if user == _NOBODY else user for user in users]
    addresses = [address_of(one.get("addr")) for one in fields]
    if any(addresses):
        header["source.ip"] = addresses
    outcomes = [_OUTCOMES.get(str(one.get("success") or one.get("res"))) for one in fields]
    if any(outcomes):
        header["event.outcome"] = outcomes
    return header
