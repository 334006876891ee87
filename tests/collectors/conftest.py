"""Fakes and samples for the collectors: an intake in memory, and .evtx files written from scratch."""

import struct
from collections import Counter
from pathlib import Path
from types import MappingProxyType

import pytest

from collectors.intake import IntakeFull
from soc_model.layer import Layer
from soc_model.source import Source

SAMPLES = Path(__file__).parent / "samples"
NOW = 1_772_500_000_000_000  # 2026-03-03T01:06:40Z


class MemoryIntake:
    """An intake that keeps what it is given; ``full`` refuses that many times first."""

    def __init__(self, *sources):
        self.sources = sources
        self.chunks = []
        self.requests = set()
        self.counters = Counter()
        self.full = 0
        self.held = {}

    async def append(self, chunks, request=None, counters=MappingProxyType({})):
        if self.full:
            self.full -= 1
            raise IntakeFull
        if request is not None and request in self.requests:
            return False
        self.requests.add(request)
        self.chunks += [chunk for chunk in chunks if chunk.records]
        self.counters.update(counters)
        for chunk in chunks:
            if chunk.position is not None:
                self.held.setdefault(chunk.source_id, {})[chunk.stream] = {**chunk.position, "context": chunk.context}
        return True

    def positions(self, source_id):
        return dict(self.held.get(source_id, {}))

    def count(self, source_id, counter, n=1):
        self.counters[source_id, counter] += n

    def now(self):
        return NOW

    @property
    def records(self):
        return [record for chunk in self.chunks for record in chunk.records]


@pytest.fixture
def memory_intake():
    """A function that makes an intake for sources."""
    return MemoryIntake


@pytest.fixture
def source():
    """A function that makes a source; anything may be set."""

    def make(**given):
        plain = {"id": "s1", "name": "one", "transport": "file", "format": "syslog", "layer": Layer.HOST, "unit": "u"}
        return Source(**{**plain, **given})

    return make


def _name(text, at):
    """A BinXML name that stands where it is referred to, which begins ``at`` bytes into the chunk."""
    return struct.pack("<IIHH", at + 4, 0, 0, len(text)) + text.encode("utf-16-le") + b"\0\0"


def _value(text):
    return b"\x05\x01" + struct.pack("<H", len(text)) + text.encode("utf-16-le")


def _element(name, at, content, attributes=()):
    """One BinXML element at ``at``: ``content`` is a text or a function from its place to bytes."""
    head_bytes = 1 + 4
    named = _name(name, at + head_bytes)
    place = at + head_bytes + len(named)
    listed = b""
    if attributes:
        place += 4
        for i, (key, value) in enumerate(attributes):
            token = b"\x46" if i + 1 < len(attributes) else b"\x06"
            listed += token + _name(key, place + len(listed) + 1) + _value(value)
        listed = struct.pack("<I", len(listed)) + listed
        place += len(listed) - 4
    inner = _value(content) if isinstance(content, str) else content(place + 1)
    body = named + listed + b"\x02" + inner + b"\x04"
    return (b"\x41" if attributes else b"\x01") + struct.pack("<I", len(body)) + body


def _elements(*makers):
    """The content of an element that holds elements."""

    def make(at):
        out = b""
        for maker in makers:
            out += maker(at + len(out))
        return out

    return make


def _leaf(name, content, *attributes):
    return lambda at: _element(name, at, content, attributes)


def _event(number, data):
    system = _elements(
        _leaf("Provider", "", ("Name", "Microsoft-Windows-Sysmon")),
        _leaf("EventID", "1"),
        _leaf("TimeCreated", "", ("SystemTime", f"2026-03-02T10:00:{number % 60:02}.000000Z")),
        _leaf("EventRecordID", str(number)),
        _leaf("Channel", "Microsoft-Windows-Sysmon/Operational"),
        _leaf("Computer", "DESK-10"),
    )
    fields = _elements(*(_leaf("Data", value, ("Name", key)) for key, value in data.items()))
    return _leaf("Event", _elements(_leaf("System", system), _leaf("EventData", fields)))


def _chunk(first, events):
    body = b""
    for i, data in enumerate(events):
        at = 512 + len(body) + 24
        xml = b"\x0f\x01\x01\x00" + _event(first + i, data)(at + 4) + b"\x00"
        size = 24 + len(xml) + 4
        body += struct.pack("<IIQQ", 0x2A2A, size, first + i, 134_000_000_000_000_000) + xml + struct.pack("<I", size)
    last = first + len(events) - 1
    head = struct.pack("<8sQQQQIII", b"ElfChnk\0", first, last, first, last, 128, 512, 512 + len(body))
    return (head.ljust(512, b"\0") + body).ljust(65536, b"\0")


def _evtx(*chunks):
    first, parts = 1, []
    for events in chunks:
        parts.append(_chunk(first, events))
        first += len(events)
    head = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, len(parts) - 1, first, 128, 1, 3, 4096, len(parts))
    return head.ljust(4096, b"\0") + b"".join(parts)


@pytest.fixture(scope="session")
def evtx_file():
    """A function from lists of EventData (one list a chunk) to the bytes of an .evtx file."""
    return _evtx
