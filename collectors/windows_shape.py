"""The shapes in which a Windows event is written as JSON, brought to one: flat fields under the names Sigma uses.

Comes in: ``{"Event": {"System": ..., "EventData" | "UserData": ...}}`` with attributes as ``#attributes`` (evtx_dump
and the evtx crate), ``X_attributes`` (the same, separated) or ``@name`` (xmltodict), or an object whose keys are flat
already (nxlog exports). Goes out: a dict of fields. EventData names are top-level, without spaces; Data without a name
is the list ``Data``; of UserData the inner element's children are top-level. What System says wins.
"""

from typing import Any

Fields = dict[str, Any]
ATTRIBUTES = "#attributes"
TEXT = "#text"

#: Sigma's name of a System element's text, and of its attributes.
SYSTEM_TEXT = {
    "Channel": "Channel",
    "EventID": "EventID",
    "Computer": "Computer",
    "EventRecordID": "EventRecordID",
    "Level": "Level",
    "Task": "Task",
    "Opcode": "Opcode",
    "Keywords": "Keywords",
    "Version": "Version",
}
SYSTEM_ATTRIBUTES = {
    ("Provider", "Name"): "Provider_Name",
    ("Provider", "Guid"): "Provider_Guid",
    ("TimeCreated", "SystemTime"): "SystemTime",
    ("Execution", "ProcessID"): "ExecutionProcessID",
    ("Execution", "ThreadID"): "ExecutionThreadID",
    ("Security", "UserID"): "UserID",
    ("Correlation", "ActivityID"): "ActivityID",
}
#: System fields that an event's own data must not shadow: they say what the event is.
IDENTITY = frozenset({"Channel", "EventID", "Computer", "EventRecordID", "Provider_Name", "SystemTime"})
#: Other names of the same things in flat exports, in order of preference.
FLAT_NAMES = (
    ("Computer", "Hostname"),
    ("Computer", "ComputerName"),
    ("Computer", "MachineName"),
    ("Provider_Name", "SourceName"),
    ("Provider_Name", "ProviderName"),
    ("EventRecordID", "RecordNumber"),
    ("EventRecordID", "RecordId"),
    ("EventID", "EventId"),
    ("Channel", "LogName"),
    ("Data", "StringInserts"),
)
_OTHER_NAMES = frozenset(other for _, other in FLAT_NAMES)


def is_nested(value: Fields) -> bool:
    """Whether the object is an event in its XML structure."""
    event = value.get("Event")
    return isinstance(event, dict) and isinstance(event.get("System"), dict)


def nested_fields(value: Fields) -> Fields:
    """The fields of ``{"Event": {"System": ...}}``; what stands plain beside ``Event`` becomes fields too."""
    event = value["Event"]
    system = _system_fields(event["System"])
    fields: Fields = {}
    for section, body in event.items():
        if section not in ("System", ATTRIBUTES, "RenderingInfo") and not section.startswith("@"):
            fields |= _user_data(body) if section == "UserData" else _event_data(body)
    for name in IDENTITY & fields.keys() & system.keys():
        del fields[name]
    if "Message" not in fields and (message := _rendered(event.get("RenderingInfo"))):
        fields["Message"] = message
    beside = {name: item for name, item in value.items() if name != "Event" and not isinstance(item, dict)}
    return {**beside, **system, **fields}


def flat_fields(value: Fields) -> Fields:
    """The fields of a flat export, with Sigma's names beside the export's own."""
    if dict in set(map(type, value.values())):
        value = {name: _text_of(item) if isinstance(item, dict) else item for name, item in value.items()}
    return flat_names(value)


def flat_names(value: Fields) -> Fields:
    """A flat event of plain values with Sigma's names beside its own."""
    if value.keys().isdisjoint(_OTHER_NAMES):
        return value
    for name, other in FLAT_NAMES:
        if other in value and name not in value:
            value[name] = value[other]
    return value


def _system_fields(system: Fields) -> Fields:
    fields: Fields = {}
    for element, name in SYSTEM_TEXT.items():
        text = _text_of(system.get(element))
        if text is not None:
            fields[name] = text
    for (element, attribute), name in SYSTEM_ATTRIBUTES.items():
        held = system.get(element) or system.get(f"{element}_attributes")
        text = _attributes_of(held).get(attribute)
        if text is not None:
            fields[name] = text
    return fields


def _attributes_of(element: Any) -> Fields:
    """An element's attributes in any of the shapes, by plain name."""
    if not isinstance(element, dict):
        return {}
    inner = element.get(ATTRIBUTES)
    return inner if isinstance(inner, dict) else {name.removeprefix("@"): item for name, item in element.items()}


def _text_of(element: Any) -> Any:
    """An element's text: itself, or what stands beside its attributes; several texts are a list of str."""
    if isinstance(element, dict):
        element = element.get(TEXT)
    if isinstance(element, list):
        return ["" if one is None else str(_text_of(one)) for one in element]
    return None if isinstance(element, dict) else element


def _event_data(data: Any) -> Fields:
    """The fields of an EventData element."""
    if not isinstance(data, dict):
        return {} if data is None else {"Data": _text_of(data)}
    fields: Fields = {}
    for name, item in data.items():
        if name == "Data":
            fields |= _data_elements(item)
        elif name != ATTRIBUTES and not name.startswith("@") and not name.endswith("_attributes"):
            fields[name.replace(" ", "")] = _text_of(item) if isinstance(item, dict | list) else item
    return fields


def _data_elements(item: Any) -> Fields:
    """``Data`` elements: with a ``Name`` attribute fields of that name, without one the list ``Data``."""
    fields: Fields = {}
    bare: list[str] = []
    for one in item if isinstance(item, list) else [item]:
        name = _attributes_of(one).get("Name")
        text = _text_of(one)
        if isinstance(name, str):
            fields[name.replace(" ", "")] = text
        elif text is not None:
            bare += text if isinstance(text, list) else [str(text)]
    return fields | ({"Data": bare} if bare else {})


def _user_data(data: Any) -> Fields:
    """The children of the element inside UserData."""
    fields: Fields = {}
    if isinstance(data, dict):
        for name, inner in data.items():
            if name != ATTRIBUTES and not name.startswith("@"):
                fields |= _event_data(inner) if isinstance(inner, dict) else {name: _text_of(inner)}
    return fields


def _rendered(info: Any) -> Any:
    return _text_of(info.get("Message")) if isinstance(info, dict) else None
