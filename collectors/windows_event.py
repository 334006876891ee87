"""Windows events grouped by type, with header, time and identity: what evtx and windows_json share.

Comes in: one dict of fields per event under Sigma's names (``windows_shape``). Goes out: event groups. An event type is
(Channel, EventID, Provider_Name); its logsource is product ``windows`` with the service of the channel.
"""

from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from collectors.header import addresses_of, column_of, first_values
from collectors.tables import read_table
from collectors.timestamp import any_us, iso_us, zone_of
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.source import Logsource

Fields = dict[str, Any]

#: Header columns, each with the fields it is taken from, in order of preference.
HEADER_FIELDS: dict[str, tuple[str, ...]] = {
    "host.name": ("Computer",),
    "user.name": ("User", "TargetUserName", "SubjectUserName", "AccountName"),
    "source.ip": ("SourceIp", "IpAddress", "SourceAddress", "ClientAddress"),
    "source.port": ("SourcePort", "IpPort"),
    "destination.ip": ("DestinationIp", "DestAddress", "DestinationAddress"),
    "destination.port": ("DestinationPort", "DestPort"),
    "process.executable": ("Image", "NewProcessName", "ProcessName", "SourceImage", "Application"),
    "file.path": ("TargetFilename", "ObjectName"),
    "url.domain": ("QueryName",),
    "message": ("Message",),
}
#: Where the event's time stands, in order of preference. Sysmon's UtcTime is UTC though it does not say so.
TIME_FIELDS = ("SystemTime", "TimeCreated", "UtcTime", "@timestamp", "EventTime", "TimeGenerated")
HASH_FIELDS = {"MD5": ("md5",), "SHA1": ("sha1",), "SHA256": ("sha256",), "IMPHASH": ("Imphash", "imphash")}
HASH_NAMES = frozenset(name for names in HASH_FIELDS.values() for name in names)
AUDIT_FAILURE = 1 << 52  # Keywords bits (winmeta.xml): 0x10000000000000 and 0x20000000000000
AUDIT_SUCCESS = 1 << 53
AUDIT_WORDS = {"audit failure": "failure", "audit success": "success", "审核失败": "failure", "审核成功": "success"}


class Facts(NamedTuple):
    """The tables: service by channel (lower case), by channel prefix, and (service, event id) to (action, outcome)."""

    services: dict[str, str]
    prefixes: tuple[tuple[str, str], ...]
    actions: dict[tuple[str, str], tuple[str, str | None]]

    def service(self, channel: str) -> str:
        """Sigma's service of a channel; empty where Sigma has none."""
        low = channel.casefold().removeprefix("wineventlog:")
        return self.services.get(low) or next((name for start, name in self.prefixes if low.startswith(start)), "")


@cache
def facts() -> Facts:
    """The facts about Windows channels and events, read once."""
    channels = read_table("windows_channels")
    actions = {
        (service, str(code)): (said, None) if isinstance(said, str) else (said[0], said[1])
        for service, codes in read_table("windows_actions").items()
        for code, said in codes.items()
    }
    return Facts(
        {channel.casefold(): service for service, names in channels["channels"].items() for channel in names},
        tuple((start.casefold(), service) for service, names in channels["prefixes"].items() for start in names),
        actions,
    )


@dataclass(slots=True, kw_only=True)
class Events:
    """Decoded events as parallel lists; ``fields[i]`` is ``None`` where ``broken[i]`` says why.

    ``changed``: the events whose values may not stand in ``raws`` as JSON (``EventGroup.written``).
    """

    fields: Sequence[Fields | None]
    raws: Sequence[bytes]
    bytes_at: Sequence[int]
    records: Sequence[int]
    broken: dict[int, str]
    texts: dict[int, str]
    changed: Set[int] = frozenset()


_PLAIN = frozenset({str, int, type(None)})


def event_groups(events: Events, decoder: str, context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """The events by type, each group in record order; events that could not be parsed are a group of their own."""
    members: dict[tuple[Any, Any, Any], list[int]] = {}
    for i, key in enumerate(_keys(events.fields)):
        if key is not None:
            members.setdefault(key, []).append(i)
    groups = [
        _group(_event_type(key, context), [f for i in at if (f := events.fields[i]) is not None], at, events, decoder)
        for key, at in members.items()
    ]
    zone = zone_of(context.get("zone"))
    for group in groups:
        _name_data(group)
        names = wanted(group.type)
        if names is None or names & HASH_NAMES:
            _split_all_hashes(group.fields)
        group.later(partial(_complete, zone=zone))
    return groups + _broken_group(events, decoder, context)


_NAMES_OF_TYPE = ("Channel", "EventID", "Provider_Name")
_said = itemgetter(*_NAMES_OF_TYPE)


def _keys(events: Sequence[Fields | None]) -> Sequence[tuple[Any, Any, Any] | None]:
    """What makes the type of each event; where all say it in the usual way, told without a step for each."""
    with suppress(KeyError, TypeError):
        keys = list(map(_said, events))  # type: ignore[arg-type]  # a broken event raises
        if {*map(type, chain.from_iterable(keys))} <= _PLAIN:
            return keys
    return [None if fields is None else _key(fields) for fields in events]


def _key(fields: Fields) -> tuple[Any, Any, Any]:
    """What makes the type; a value that is neither text nor a whole number counts as its text (``True`` is no 1)."""
    key = (fields.get("Channel"), fields.get("EventID"), fields.get("Provider_Name"))
    if {*map(type, key)} <= _PLAIN:
        return key
    channel, code, provider = (value if type(value) in _PLAIN else str(value) for value in key)
    return channel, code, provider


def _event_type(key: tuple[Any, Any, Any], context: dict[str, Any]) -> EventType:
    service = facts().service(str(key[0])) if key[0] else ""
    constants = tuple((name, str(value)) for name, value in zip(_NAMES_OF_TYPE, key, strict=True) if value is not None)
    return EventType(f"windows.{service or 'other'}", _logsource(service, context), constants)


def windows_logsources() -> list[Logsource]:
    """The logsources that Windows events carry where the source says nothing else."""
    services = {"", *facts().services.values(), *(service for _, service in facts().prefixes)}
    return [Logsource(product="windows", service=service) for service in sorted(services)]


def _logsource(service: str, context: dict[str, Any]) -> Logsource:
    declared: dict[str, str] = context.get("logsource") or {}
    return Logsource(
        product=declared.get("product") or "windows",
        category=declared.get("category") or "",
        service=declared.get("service") or service,
    )


def _group(type_: EventType, fields: list[Fields], at: list[int], events: Events, decoder: str) -> EventGroup:
    return EventGroup(
        type=type_,
        decoder=decoder,
        fields=fields,
        raws=[events.raws[i] for i in at],
        times=[],
        bytes_at=[events.bytes_at[i] for i in at],
        records=[events.records[i] for i in at],
        written=events.changed.isdisjoint(at),
    )


def _complete(group: EventGroup, zone: tzinfo) -> None:
    """Fill in times, identities and header."""
    present = frozenset[str]().union(*group.fields)
    group.times = _times(group.fields, present, zone)
    if {"Computer", "Channel", "EventRecordID"} <= present:
        group.identities = _identities(group.fields, group.times)
    group.header = _header(group, present)
    group.host_addresses = _host_addresses(group, present)


@cache
def _data_names() -> dict[str, dict[str, list[str]]]:
    """The names of data that events write without names, by service and event number; read once."""
    names: dict[str, dict[str, list[str]]] = read_table("windows_data")
    return names


def _name_data(group: EventGroup) -> None:
    """Give the elements of the list ``Data`` the names that are known for events of this type."""
    numbers = _data_names().get(group.type.logsource.service)
    names = numbers.get(dict(group.type.constants).get("EventID", "")) if numbers else None
    if not names:
        return
    group.written = False  # its fields have names that do not stand in the record
    for fields in group.fields:
        data = fields.get("Data")
        for name, value in zip(names, data if isinstance(data, list) else (), strict=False):
            fields.setdefault(name, value)


def _times(fields: list[Fields], present: frozenset[str], zone: tzinfo) -> list[int | None]:
    """Each event's time: of the first time field that can be read."""
    times: list[int | None] = [None] * len(fields)
    for name in TIME_FIELDS:
        if name not in present:
            continue
        if name == "UtcTime":
            times = [iso_us(f.get(name)) if t is None else t for t, f in zip(times, fields, strict=True)]
        else:
            times = [any_us(f.get(name), zone) if t is None else t for t, f in zip(times, fields, strict=True)]
        if None not in times:
            break
    return times


def _identities(fields: list[Fields], times: list[int | None]) -> list[str | None]:
    """Computer + Channel + EventRecordID + time, where all of them are there."""
    return [
        f"{computer}|{channel}|{number}|{time}"
        if time is not None
        and (computer := event.get("Computer"))
        and (channel := event.get("Channel"))
        and (number := event.get("EventRecordID")) is not None
        else None
        for event, time in zip(fields, times, strict=True)
    ]


def _header(group: EventGroup, present: frozenset[str]) -> dict[str, list[Any]]:
    header: dict[str, list[Any]] = {}
    for column, names in HEADER_FIELDS.items():
        there = [name for name in names if name in present]
        if there and (values := column_of(column, first_values(group.fields, there))):
            header[column] = values
    code = dict(group.type.constants).get("EventID", "")
    if code:
        header["event.code"] = [code] * len(group)
    action, outcome = facts().actions.get((group.type.logsource.service, code), (None, None))
    if action:
        header["event.action"] = [action] * len(group)
    if outcome:
        header["event.outcome"] = [outcome] * len(group)
    elif group.type.logsource.service == "security" and "Keywords" in present:
        header["event.outcome"] = _outcomes([fields.get("Keywords") for fields in group.fields])
    return header


def _host_addresses(group: EventGroup, present: frozenset[str]) -> list[Any] | None:
    """The host's own end of a connection in Sysmon's event 3, which says whether a process of the host began it."""
    is_connection = group.type.logsource.service == "sysmon" and ("EventID", "3") in group.type.constants
    if not is_connection or "Initiated" not in present:
        return None
    ends = {"true": "SourceIp", "false": "DestinationIp"}
    own = (ends.get(str(fields.get("Initiated")).lower()) for fields in group.fields)
    return addresses_of([fields.get(end) if end else None for end, fields in zip(own, group.fields, strict=True)])


def _outcomes(keywords: list[Any]) -> list[Any]:
    """``success`` or ``failure`` as the audit keywords say."""
    known: dict[str, str | None] = {}
    for word in keywords:
        if (text := str(word)) not in known:
            known[text] = _outcome(text)
    return [known[str(word)] for word in keywords]


def _outcome(keywords: str) -> str | None:
    if (said := AUDIT_WORDS.get(keywords.casefold())) is not None:
        return said
    try:
        bits = int(keywords[:24], 0)
    except ValueError:
        return None
    return "failure" if bits & AUDIT_FAILURE else "success" if bits & AUDIT_SUCCESS else None


def _split_all_hashes(events: list[Fields]) -> None:
    """``Hashes`` (``SHA1=..,MD5=..``) also as fields of their own; images repeat, and so do their hashes."""
    known: dict[str, list[tuple[str, str]]] = {}
    for fields in events:
        hashes = fields.get("Hashes")
        if isinstance(hashes, str):
            found = known.get(hashes)
            if found is None:
                found = known[hashes] = list(_hashes(hashes))
            for name, digest in found:
                fields.setdefault(name, digest)


def _hashes(text: str) -> Iterator[tuple[str, str]]:
    """The names and values of one text of hashes."""
    for part in text[:1024].split(","):
        algorithm, _, digest = part.partition("=")
        for name in HASH_FIELDS.get(algorithm.strip().upper(), ()):
            yield name, digest


def _broken_group(events: Events, decoder: str, context: dict[str, Any]) -> list[EventGroup]:
    """What could not be parsed: raw is kept, its text is the message."""
    at = sorted(events.broken)
    if not at:
        return []
    messages = [events.texts.get(i, "") for i in at]
    group = _group(
        EventType("windows.other", _logsource("", context)),
        [{"message": text} for text in messages],
        at,
        events,
        decoder,
    )
    group.times = [None] * len(at)
    group.header = {"message": [text[:1024] for text in messages]}
    group.unparsed = {n: events.broken[i] for n, i in enumerate(at)}
    return [group]
