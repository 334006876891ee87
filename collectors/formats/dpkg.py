"""dpkg.log of Debian and its descendants: what was installed, upgraded and removed, one line each.

``2026-11-23 18:10:10 upgrade libc-bin:amd64 2.36-9 2.36-10`` (dpkg(1), ``--log``). Fields: action, package, status,
version, previous, and message. Logsource: product linux, service dpkg. Options: ``zone`` (IANA name), ``codec``.
"""

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

from collectors.format import Cut
from collectors.lines import cut_lines, sample_lines, starts, text_of
from collectors.timestamp import iso_us, zone_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

name = "dpkg"
own_numbers = False
_ACTIONS = "startup|status|conffile|install|upgrade|configure|trigproc|disappear|remove|purge"
_LINE = re.compile(rf"(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d) ({_ACTIONS}) (.+)")
_CHANGES = ("install", "upgrade", "configure", "trigproc", "disappear", "remove", "purge")


class Entry(NamedTuple):
    """One line as understood: no time where it is no dpkg line."""

    time: int | None
    fields: dict[str, Any]


def recognise(head: bytes, path: str) -> bool:
    """Whether all of the first lines are dpkg's."""
    lines = sample_lines(head)
    return bool(lines) and all(_LINE.fullmatch(line.decode("utf-8", "backslashreplace")) for line in lines)


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """Lines."""
    return cut_lines(data, context, final)


def logsources() -> list[Logsource]:
    """The logsources its events carry where the source says nothing else."""
    return [Logsource(product="linux", service="dpkg")]


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per line, all of one type."""
    if not records:
        return []
    zone = zone_of(context.get("zone"))
    entries = [_entry(text_of(record, context), zone) for record in records]
    declared: dict[str, str] = context.get("logsource") or {}
    logsource = Logsource(**{"product": "linux", "service": "dpkg", **declared})
    return [
        EventGroup(
            type=EventType("linux.dpkg", logsource),
            decoder="dpkg@1",
            fields=[entry.fields for entry in entries],
            raws=list(records),
            times=[entry.time for entry in entries],
            bytes_at=starts(records),
            records=list(range(len(records))),
            header={
                "event.action": [entry.fields.get("action") for entry in entries],
                "message": [entry.fields["message"][:1024] for entry in entries],
            },
            unparsed={i: "not a line of dpkg.log" for i, entry in enumerate(entries) if entry.time is None},
        )
    ]


def _entry(line: str, zone: tzinfo) -> Entry:
    found = _LINE.fullmatch(line)
    time = iso_us(found[1], zone) if found else None
    if found is None or time is None:
        return Entry(None, {"message": line})
    action, words = found[2], found[3].split(" ")
    fields: dict[str, Any] = {"message": line[20:], "action": action}
    if action == "status" and len(words) == 3:
        fields |= {"status": words[0], "package": words[1], "version": words[2]}
    elif action in _CHANGES and len(words) == 3:
        fields |= {"package": words[0], "previous": words[1], "version": words[2]}
    return Entry(time, fields)
