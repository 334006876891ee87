"""MISP events as JSON: one event, an answer of the API with many, or the folder of a MISP feed.

Attributes of an event and of its objects are taken where ``to_ids`` says that they are for detection and their type is
a value that can be looked up; those of another type are refused by their id, those not for detection passed over.
"""

from collections.abc import Iterator

import msgspec

from detection_rules.feeds.content import Content
from detection_rules.feeds.entry import Entry, Refused
from soc_model.problem import Problem

SUFFIXES = (".json",)
NOT_EVENTS = frozenset({"manifest.json", "hashes.json"})
#: The kind of each part of an attribute's value; parts are joined by ``|``, an empty kind is no value of its own.
TYPES: dict[str, tuple[str, ...]] = {
    "domain": ("domain",),
    "hostname": ("domain",),
    "domain|ip": ("domain", "address"),
    "hostname|port": ("domain", ""),
    "url": ("url",),
    "ip-src": ("address",),
    "ip-dst": ("address",),
    "ip-src|port": ("address", ""),
    "ip-dst|port": ("address", ""),
    "md5": ("md5",),
    "sha1": ("sha1",),
    "sha256": ("sha256",),
    "filename|md5": ("", "md5"),
    "filename|sha1": ("", "sha1"),
    "filename|sha256": ("", "sha256"),
    "email": ("email",),
    "email-src": ("email",),
    "email-dst": ("email",),
    "email-reply-to": ("email",),
}


class _Attribute(msgspec.Struct):
    type: str
    value: str
    to_ids: bool | int | str = False
    deleted: bool | int = False
    uuid: str = ""
    category: str = ""
    comment: str | None = ""


class _Object(msgspec.Struct):
    attributes: list[_Attribute] = msgspec.field(default_factory=list, name="Attribute")


class _Event(msgspec.Struct):
    attributes: list[_Attribute] = msgspec.field(default_factory=list, name="Attribute")
    objects: list[_Object] = msgspec.field(default_factory=list, name="Object")
    info: str = ""
    uuid: str = ""


class _Wrapped(msgspec.Struct):
    event: _Event = msgspec.field(name="Event")


class _File(msgspec.Struct):
    event: _Event | None = msgspec.field(default=None, name="Event")
    response: list[_Wrapped] | None = None


def read_misp(content: Content) -> Iterator[Entry | Refused]:
    """What stands in one file; ``Problem`` where it is no event."""
    if content.name.rpartition("/")[2].rpartition("!")[2] in NOT_EVENTS:
        return
    for event in _events(content):
        attributes = [*event.attributes, *(one for each in event.objects for one in each.attributes)]
        for number, one in enumerate(attributes):
            if one.to_ids in (True, 1, "1", "true") and not one.deleted:
                yield from _entries(f"{content.name}: {one.uuid[:100] or f'Attribute[{number}]'}", one, event)


def _events(content: Content) -> list[_Event]:
    data = content.whole()
    try:
        if data.lstrip()[:1] == b"[":
            return [one.event for one in msgspec.json.decode(data, type=list[_Wrapped])]
        found = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem(content.name, f"is no MISP event: {error}") from error
    if found.event is None and found.response is None:
        raise Problem(content.name, "is no MISP event: it has neither Event nor response")
    return [one.event for one in found.response or ()] + ([found.event] if found.event is not None else [])


def _entries(place: str, one: _Attribute, event: _Event) -> Iterator[Entry | Refused]:
    kinds = TYPES.get(one.type)
    if kinds is None:
        yield Refused(place, f"its type {one.type[:40]!r} is nothing that is looked up alone")
        return
    parts = one.value.split("|") if len(kinds) > 1 else [one.value]
    if len(parts) < len(kinds):
        yield Refused(place, f"{one.type} without its second part")
        return
    for kind, value in zip(kinds, [*parts[: len(kinds) - 1], parts[-1]], strict=True):
        if kind:
            yield Entry(place, kind, value, label=one.comment or event.info, reference=event.uuid)
