"""Windows event log files (.evtx): cut at their 64 KiB chunks, each decoded alone with the file's header.

A record is one chunk; its events are numbered by EventRecordID and keep their JSON rendering as raw. Fields and
logsource are those of ``windows_json``. Unused (all zero) chunks are no records. A chunk that cannot be read to its end
gives the events that can be read, and one unparsed event whose raw is the chunk. Such files are read whole: Windows
writes into the last chunk in place.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from evtx import PyEvtxParser

from collectors.format import Cut
from collectors.json_record import read_object
from collectors.lines import starts
from collectors.windows_event import Events, event_groups, windows_logsources
from collectors.windows_nested import DECODER, common_fields
from collectors.windows_shape import Fields, is_nested, nested_fields
from soc_model.event import EventGroup, Wanted

name = "evtx"
logsources = windows_logsources
own_numbers = True
archived_as = "windows_json"
DECODER_NAME = "evtx@1"
HEADER_BYTES = 4096
CHUNK_BYTES = 65536
FILE_MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"
COMPLAINTS = 3  # of the decoder about one chunk, after which the rest of it is given up
#: The fields of a file header that say: one chunk, version 3.1, 4096 bytes of header. Used where the real one is lost.
PLAIN_HEADER = struct.pack("<8sQQQIHHHH", FILE_MAGIC, 0, 0, 1, 128, 1, 3, HEADER_BYTES, 1).ljust(HEADER_BYTES, b"\0")


def recognise(head: bytes, path: str) -> bool:
    """Whether it begins with the magic of an .evtx file."""
    return head.startswith(FILE_MAGIC)


def cut(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """Chunks; the file's header goes into the context. What follows no .evtx header is kept as it comes."""
    if "header" not in context:
        if len(data) < HEADER_BYTES:
            return Cut([data] if data and final else [], b"" if final else data, context)
        if data.startswith(FILE_MAGIC):
            context, data = {**context, "header": data[:HEADER_BYTES]}, data[HEADER_BYTES:]
        else:
            context = {**context, "header": b""}
    whole = len(data) - len(data) % CHUNK_BYTES
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, whole, CHUNK_BYTES)]
    rest = data[whole:]
    if final and rest:
        chunks, rest = [*chunks, rest], b""
    return Cut([chunk for chunk in chunks if chunk.count(0) != len(chunk)], rest, context)


class _Decoded(NamedTuple):
    """What one chunk came to: its events' JSON and numbers, and why the rest of it is lost (empty: nothing is)."""

    raws: list[bytes]
    numbers: list[int]
    lost: str


def parse(records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
    """All events of the chunks, and one unparsed event for each chunk of which something is lost."""
    events = Events(fields=[], raws=[], bytes_at=[], records=[], broken={}, texts={})
    fields: list[Fields | None] = []
    raws: list[bytes] = []
    places: list[int] = []
    numbers: list[int] = []
    for chunk, at in zip(records, starts(records), strict=True):
        decoded = _decode(chunk, context.get("header") or b"")
        for raw, number in zip(decoded.raws, decoded.numbers, strict=True):
            event, why = _fields(raw)
            if event is None:
                events.broken[len(fields)], events.texts[len(fields)] = why, raw.decode("utf-8", "backslashreplace")
            fields.append(event)
            raws.append(raw)
            numbers.append(_number(event, number))
        if decoded.lost:
            events.broken[len(fields)], events.texts[len(fields)] = decoded.lost, decoded.lost
            fields.append(None)
            raws.append(chunk)
            numbers.append(0)
        places += [at] * (len(fields) - len(places))
    events.fields, events.raws, events.bytes_at, events.records = fields, raws, places, numbers
    return event_groups(events, DECODER_NAME, context, wanted)


def _fields(raw: bytes) -> tuple[Fields | None, str]:
    """The fields of one event's JSON rendering."""
    try:
        found = common_fields(DECODER.decode(raw))
        if found is not None:
            return found[0], ""
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    value, why = read_object(raw, {})
    if value is None or not is_nested(value):
        return None, why or "evtx: an event without System"
    return nested_fields(value), ""


def _number(event: Fields | None, fallback: int) -> int:
    """The EventRecordID, as far as it is one."""
    number = event.get("EventRecordID") if event else None
    return number if type(number) is int and 0 <= number < 1 << 63 else fallback


def _decode(chunk: bytes, header: bytes) -> _Decoded:
    """Everything that can be read of one chunk (a cut-off one is filled up with zeros)."""
    if not chunk.startswith(CHUNK_MAGIC):
        return _Decoded([], [], "evtx: no chunk begins here")
    raws: list[bytes] = []
    numbers: list[int] = []
    trouble = ""
    for item in _items(header, chunk.ljust(CHUNK_BYTES, b"\0")):
        if isinstance(item, str):
            trouble = trouble or item
        else:
            raws.append(item["data"].encode("utf-8", "backslashreplace"))
            numbers.append(int(item["event_record_id"]) & (1 << 63) - 1)
    expected = _expected(chunk)
    if trouble or len(chunk) < CHUNK_BYTES or expected > len(raws):
        why = trouble or "the chunk is cut off"
        return _Decoded(raws, numbers, f"evtx: {len(raws)} of {expected} events read: {why}"[:500])
    return _Decoded(raws, numbers, "")


def _expected(chunk: bytes) -> int:
    """How many events the chunk's own header says it holds; 0 where that is nonsense."""
    if len(chunk) < 24:
        return 0
    first, last = struct.unpack_from("<QQ", chunk, 8)
    return last - first + 1 if 0 < last - first + 1 <= CHUNK_BYTES // 32 else 0


def _items(header: bytes, chunk: bytes) -> Iterator[dict[str, Any] | str]:
    """The decoder's events, and its complaints as text. A decoder that complains without end is left."""
    try:
        parser = iter(_parser(header, chunk).records_json())
    except (RuntimeError, OSError, ValueError) as error:
        yield str(error)
        return
    complaints = 0
    while complaints < COMPLAINTS:
        try:
            if (event := next(parser)) is not None:
                yield event
        except StopIteration:
            return
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            complaints += 1
            yield str(error)


def _parser(header: bytes, chunk: bytes) -> PyEvtxParser:
    """A decoder of one chunk; a damaged file header is replaced by a plain one."""
    if len(header) == HEADER_BYTES:
        with suppress(RuntimeError, OSError, ValueError):
            return PyEvtxParser(io.BytesIO(header + chunk), number_of_threads=1)
    return PyEvtxParser(io.BytesIO(PLAIN_HEADER + chunk), number_of_threads=1)
