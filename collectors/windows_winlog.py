"""Windows events as Winlogbeat sends them: ECS documents whose ``winlog`` object holds the event.

Comes in: a decoded document. Goes out: flat fields under the names Sigma uses, as from every other shape
(``windows_shape``): EventData and UserData top-level and without spaces in names, Data without names as the list
``Data``, what System says wins. The time is the event's own; Winlogbeat writes it with milliseconds where .evtx files
have more, so the identity of one event is the same by both ways only where the rest is zero. Levels, tasks and keywords
come rendered in the machine's language.
"""

import re
from typing import Any

import msgspec

from collectors.windows_shape import IDENTITY, Fields

#: Sigma's name of what stands in ``winlog``.
WINLOG = {
    "channel": "Channel",
    "event_id": "EventID",
    "provider_name": "Provider_Name",
    "provider_guid": "Provider_Guid",
    "computer_name": "Computer",
    "record_id": "EventRecordID",
    "version": "Version",
    "opcode": "Opcode",
    "task": "Category",
    "activity_id": "ActivityID",
}
#: And where else it may stand, in this order.
ELSEWHERE = {
    "EventID": (("event", "code"),),
    "Provider_Name": (("event", "provider"),),
    "Computer": (("host", "name"), ("agent", "name")),
    "ExecutionProcessID": (("winlog", "process", "pid"),),
    "ExecutionThreadID": (("winlog", "process", "thread", "id"),),
    "UserID": (("winlog", "user", "identifier"),),
    "SystemTime": (("winlog", "time_created"), ("@timestamp",)),
    "Message": (("message",),),
}
_UNNAMED = re.compile(r"param(\d{1,3})")


def is_winlog(value: Fields) -> bool:
    """Whether the object is a document of Winlogbeat."""
    winlog = value.get("winlog")
    return isinstance(winlog, dict) and ("channel" in winlog or "event_id" in winlog)


def winlog_fields(value: Fields) -> Fields:
    """The fields of a document; what stands plain beside ``winlog`` becomes fields too."""
    winlog: Fields = value["winlog"]
    system = {name: item for key, name in WINLOG.items() if (item := _plain(winlog.get(key))) is not None}
    for name, paths in ELSEWHERE.items():
        found = (item for path in paths if (item := _plain(_at(value, path))) is not None)
        if name not in system and (item := next(found, None)) is not None:
            system[name] = item
    if (words := winlog.get("keywords")) is not None:
        system["Keywords"] = words[0] if isinstance(words, list) and len(words) == 1 else words
    fields = _data(winlog.get("user_data")) | _data(winlog.get("event_data"))
    for name in IDENTITY & fields.keys() & system.keys():
        del fields[name]
    beside = {name: item for name, item in value.items() if not isinstance(item, dict)}
    return {**beside, **system, **fields}


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _plain(item: Any) -> Any:
    """A value that is neither an object nor a list."""
    return None if isinstance(item, dict | list) else item


def _data(data: Any) -> Fields:
    """The named values, and those that had no name (param1, param2 ...) as the list ``Data`` too."""
    if not isinstance(data, dict):
        return {}
    fields = {
        name.replace(" ", ""): msgspec.json.encode(item).decode() if isinstance(item, dict) else item
        for name, item in data.items()
        if name != "xml_name"
    }
    unnamed = sorted((int(found[1]), name) for name in fields if (found := _UNNAMED.fullmatch(name)))
    if unnamed and "Data" not in fields:
        fields["Data"] = [str(fields[name]) for _, name in unnamed]
    return fields
