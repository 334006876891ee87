"""A syslog line taken apart: RFC 5424, RFC 3164, and what files hold (no PRI, ISO times, host names missing).

Pure text in, parts out. Never raises; every pattern is linear in the length of the line.
"""

import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

from collectors.timestamp import MONTHS, bsd_us, iso_us

#: RFC 5424 §6.2.1
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"),
    *("audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")

_RFC5424 = re.compile(r"<(\d{1,3})>1 (\S{1,64}) (\S{1,255}) (\S{1,255}) (\S{1,255}) (\S{1,64}) ?")
_BSD_SECOND = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d"
_BSD_DATE = rf"{_BSD_SECOND}(?:\.\d{{1,9}})?(?: \d{{4}}(?= ))?"
_ISO_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)?"
_STAMP = re.compile(rf"(?:<(\d{{1,3}})>)?({_BSD_SECOND}) ")
_LINE = re.compile(
    rf"(?:<(\d{{1,3}})>)?(?:({_BSD_DATE})|({_ISO_DATE})):? +"
    r"(?:(?:(\S{0,255}[^\s:])  ?)?([^\s:\[\]]{1,128})(?:\[([^\]]{0,128})\])?:(?: |$)|(\S{1,255}) )?"
)
_TAGGED = re.compile(r"([^\s:\[\]]{1,128})(?:\[([^\]]{0,128})\])?:(?: |$)")
_PRI = re.compile(r"<(\d{1,3})>")
_ELEMENT = re.compile(r'\[([^\s=\]"]{1,255})((?: +[^\s=\]"]{1,255}="(?:[^"\\]|\\.)*")*) *\]', re.DOTALL)
_PARAMETER = re.compile(r' +([^\s=\]"]{1,255})="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\\]])')
_LAST_PRI = 191
BSD_CHARACTERS = 15  # of ``Mmm dd hh:mm:ss``

PID_CHARACTERS = 128

Sender = tuple[str, str | None]  # program and host
#: Priority and time, and what only RFC 5424 has.
When = tuple[int | None, int | None, None, None, str]


class Line(NamedTuple):
    """One line's parts; ``None`` is what it does not say. ``why`` is set when it is no syslog at all."""

    message: str
    program: str = ""
    pid: str | None = None
    hostname: str | None = None
    pri: int | None = None
    time: int | None = None
    msgid: str | None = None
    data: dict[str, Any] | None = None
    why: str = ""


def line_reader(received: int, zone: tzinfo) -> Callable[[str], Line]:
    """A reader of lines that came in at ``received``; remembers the times it has read, so use it for one chunk."""
    seen: dict[str, int | None] = {}

    def bsd(text: str) -> int | None:
        if text not in seen:
            seen[text] = (
                of_day(text) if zone is UTC and len(text) == BSD_CHARACTERS else _bsd_time(text, received, zone)
            )
        return seen[text]

    def of_day(text: str) -> int | None:
        """As ``bsd_us`` in UTC; of a day that has no second in the future only the first second is read whole."""
        day = text[:6]
        if day not in seen:
            first, last = bsd_us(f"{day} 00:00:00", received), bsd_us(f"{day} 23:59:59", received)
            seen[day] = first if first is not None and last == first + 86_399_000_000 else None
        begin, hour, minute, second = seen[day], int(text[7:9]), int(text[10:12]), int(text[13:15])
        if begin is None or hour > 23 or minute > 59 or second > 59:
            return bsd_us(text, received)
        return begin + (hour * 3600 + minute * 60 + second) * 1_000_000

    def iso(text: str) -> int | None:
        """As ``iso_us``; of times of one second in UTC only the first is read whole."""
        fraction = text[20:-1]
        if text[19:20] != "." or text[-1] != "Z" or not (fraction.isascii() and fraction.isdecimal()):
            return iso_us(text, zone)
        second = text[:19]
        if second not in seen:
            seen[second] = iso_us(f"{second}Z", zone)
        whole = seen[second]
        return whole if whole is None else whole + int(fraction[:6].ljust(6, "0"))

    times: dict[str, When] = {}
    senders: dict[str, Sender] = {}

    def read(text: str) -> Line:
        # ``Mmm dd hh:mm:ss host program[pid]: message``: nearly every date and every sender has just been met.
        at = BSD_CHARACTERS + 1 if text[:1] != "<" else text.find(">", 0, 5) + BSD_CHARACTERS + 2
        head, colon, message = text.partition(": ")
        names, bracket, number = head.partition("[")
        sender = senders.get(names[at:]) if colon else None
        when = times.get(head[:at]) or new_time(head[:at]) if sender is not None else None
        if sender is not None and when is not None:
            if not bracket:
                return tuple.__new__(Line, (message, sender[0], None, sender[1], *when))
            pid = number[:-1]
            if pid.isdecimal() and number[-1] == "]" and len(pid) <= PID_CHARACTERS:
                return tuple.__new__(Line, (message, sender[0], pid, sender[1], *when))
        return read_whole(text)

    def new_time(stamp: str) -> When | None:
        found = _STAMP.fullmatch(stamp)
        if found is None:
            return None
        when = times[stamp] = (None if found[1] is None else _pri(found[1]), bsd(found[2]), None, None, "")
        return when

    def read_whole(text: str) -> Line:
        if text[:1] == "<" and (new := _RFC5424.match(text)) is not None:
            return _rfc5424(text, new, iso)
        found = _LINE.match(text)
        if found is None:
            return _other_line(text)
        pri, old, new_time, host, program, pid, alone = found.groups()
        time = bsd(old) if old is not None else iso(_compact(new_time))
        when = (None if pri is None else _pri(pri), time, None, None, "")
        if program is not None and old is not None and len(old) == BSD_CHARACTERS:
            remember(text, found)
        # What Line() does, without its step in Python.
        return tuple.__new__(Line, (text[found.end() :], program or "", pid, host or alone, *when))

    def remember(text: str, found: "re.Match[str]") -> None:
        """Where the pattern ends at the first ": ", its sender is read the same after any date and before anything."""
        if found.end() == text.find(": ") + 2:
            senders[text[found.end(2) + 1 : found.end(5)]] = found[5], found[4]

    return read


def _bsd_time(text: str, received: int, zone: tzinfo) -> int | None:
    """The time of an RFC 3164 date, also with a fraction or a year after it."""
    if len(text) >= 20 and text[-5] == " ":
        return iso_us(f"{text[-4:]}-{_month(text[:3]):02}-{text[4:6].replace(' ', '0')}T{text[7:15]}", zone)
    whole = bsd_us(text[:15], received, zone)
    return whole if whole is None or text[15:16] != "." else whole + int(text[16:22].ljust(6, "0"))


def _month(name: str) -> int:
    return MONTHS[name]


def _compact(text: str) -> str:
    """An ISO time with its zone as ``fromisoformat`` reads it."""
    return text.replace(",", ".", 1)


def _pri(digits: str | None) -> int | None:
    return int(digits) if digits and int(digits) <= _LAST_PRI else None


def _other_line(text: str) -> Line:
    """A line without a time: with a PRI its message (RFC 3164 §4.3.3), without one no syslog."""
    pri = _PRI.match(text)
    if pri is None:
        return Line(text, why="syslog: no priority and no time")
    rest = text[pri.end() :]
    if (tag := _TAGGED.match(rest)) is not None:
        return Line(rest[tag.end() :], tag[1], tag[2], None, _pri(pri[1]))
    return Line(rest, pri=_pri(pri[1]))


def _rfc5424(text: str, found: "re.Match[str]", iso: Callable[[str], int | None]) -> Line:
    pri, time, host, program, pid, msgid = (None if part == "-" else part for part in found.groups())
    data, at = _structured_data(text, found.end())
    message = text[at:].removeprefix(" ").removeprefix("\ufeff")
    return Line(message, program or "", pid, host, _pri(pri), iso(time) if time else None, msgid, data)


def _structured_data(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    """The parameters as ``sd.ID.NAME`` and where the data ends. A repeated parameter has the list of its values."""
    if text[at : at + 1] == "-":
        return None, at + 1
    data: dict[str, Any] = {}
    while (element := _ELEMENT.match(text, at)) is not None:
        for name, value in _PARAMETER.findall(element[2]):
            _put(data, f"sd.{element[1]}.{name}", _ESCAPE.sub(r"\1", value))
        at = element.end()
    return data or None, at


def _put(data: dict[str, Any], name: str, value: str) -> None:
    held = data.get(name)
    data[name] = value if held is None else [*held, value] if isinstance(held, list) else [held, value]
