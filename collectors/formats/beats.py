"""Lines carried in the JSON envelopes of Filebeat, Fluent Bit and Vector: the text in ``message`` (or ``log``).

Option ``inner`` names the format of that text (``syslog``, ``nginx_json`` ...): the events are then that format's, with
its types and logsources, and the envelope's fields (host.name, log.file.path, fields.* ...) beside its own, which win.
The envelope gives host and time where the text has none. Without ``inner``, and for documents without such a text, the
event is what the format ``json`` makes of the whole. Options ``zone`` and those of the inner format hold for the text.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from collectors.format import Cut, Format, load_format
from collectors.json_record import flatten, read_object, read_objects
from collectors.lines import cut_lines, sample_lines, starts
from collectors.timestamp import any_us, zone_of
from soc_model.event import EventGroup, Wanted
from soc_model.problem import Problem
from soc_model.source import Logsource

name = "beats"
own_numbers = False
DECODER_NAME = "beats@1"
TEXTS = ("message", "log")
TIMES = ("@timestamp", "timestamp", "time", "date")
HOSTS = ("host.name", "host.hostname", "hostname", "host", "agent.name")
_ALL: frozenset[str] = frozenset()
Fields = dict[str, Any]


def recognise(head: bytes, path: str) -> bool:
    """Whether the first lines are objects, and one carries a text and says which shipper carried it."""
    values = [read_object(line, {})[0] for line in sample_lines(head)]
    return bool(values) and values[0] is not None and any(value is not None and _is_envelope(value) for value in values)


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """Lines."""
    return cut_lines(data, context, final)


def logsources() -> list[Logsource]:
    """The inner format decides."""
    return [Logsource(product="*", category="*", service="*")]


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """One event per document: of the inner format where it carries a text, else of ``json``."""
    inner = _inner_format(context.get("inner"))
    if inner is None:
        return _whole_documents().parse(records, context, wanted)
    values = read_objects(records, context).values
    texts = [None if value is None else _text_of(value) for value in values]
    carried = [i for i, text in enumerate(texts) if text]
    lines = [(texts[i] or "").encode("utf-8", "backslashreplace") for i in carried]
    groups = inner.parse(lines, {**context, "codec": "utf-8"}, wanted)
    for group in groups:
        at = [carried[n] for n in group.records]
        _add_envelopes(group, [values[i] or {} for i in at], context)
        _place(group, at, records)
    return groups + _others([i for i, text in enumerate(texts) if not text], records, context, wanted)


def _others(at: list[int], records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """The events of documents that carry no text, and of what is no document."""
    groups = _whole_documents().parse([records[i] for i in at], context, wanted)
    for group in groups:
        _place(group, [at[n] for n in group.records], records)
    return groups


def _place(group: EventGroup, at: list[int], records: Sequence[bytes]) -> None:
    """Tell a group which records its events came from."""
    places = starts(records)
    group.records = at
    group.raws = [records[i] for i in at]
    group.bytes_at = [places[i] for i in at]


def _add_envelopes(group: EventGroup, envelopes: list[Fields], context: dict[str, Any]) -> None:
    """Put the envelopes' fields beside the events' own, and host and time where they have none."""
    zone = zone_of(context.get("zone"))
    around = [_around(envelope) for envelope in envelopes]
    group.decoder = f"{DECODER_NAME}+{group.decoder}"
    group.fields = [{**outer, **fields} for outer, fields in zip(around, group.fields, strict=True)]
    group.times = [
        any_us(_first(outer, TIMES), zone) if time is None else time
        for outer, time in zip(around, group.times, strict=True)
    ]
    own = group.header.get("host.name") or [None] * len(group)
    hosts = [host or _first(outer, HOSTS) for outer, host in zip(around, own, strict=True)]
    if any(hosts):
        group.header["host.name"] = hosts


def _around(envelope: Fields) -> Fields:
    """The envelope's fields without the text it carries."""
    fields = flatten(envelope, None, _ALL)
    return {key: item for key, item in fields.items() if key not in TEXTS}


def _first(fields: Fields, names: Sequence[str]) -> Any:
    return next((item for key in names if isinstance(item := fields.get(key), str | int | float)), None)


def _text_of(value: Fields) -> str | None:
    """The text a document carries; ``None`` where it carries none."""
    return next((text for key in TEXTS if isinstance(text := value.get(key), str) and text.strip()), None)


def _is_envelope(value: Fields) -> bool:
    if not _text_of(value):
        return False
    log, agent = value.get("log"), value.get("agent")
    from_beat = isinstance(agent, dict) and "type" in agent
    return isinstance(log, str) or (isinstance(log, dict) and "file" in log) or from_beat or "source_type" in value


@cache
def _whole_documents() -> Format:
    return load_format("json")


@cache
def _inner_format(said: object) -> Format | None:
    """The format of that name, if it reads lines; settings are checked for it before."""
    try:
        form = load_format(said) if isinstance(said, str) and said != name else None
    except Problem:
        return None
    return None if form is None or form.own_numbers else form
