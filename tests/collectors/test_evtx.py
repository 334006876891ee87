"""Windows event log files: whole, truncated, corrupt; and the attack samples, chunk by chunk against whole."""

import io
import tarfile

import pytest
from evtx import PyEvtxParser

from collectors.cutting import Cutter
from collectors.format import load_format
from collectors.json_record import read_object
from collectors.windows_nested import DECODER, common_fields
from collectors.windows_shape import nested_fields

FORM = load_format("evtx")
CHUNK = 65536


def read(data):
    """The groups of a whole file."""
    groups = []
    for part in Cutter(FORM, {}).feed(data, final=True):
        groups += FORM.parse(part.records, {**part.context, "received": 0}, lambda type_: None)
    return groups


def events(groups):
    return [fields for group in groups for i, fields in enumerate(group.fields) if i not in group.unparsed]


def lost(groups):
    return [why for group in groups for why in group.unparsed.values()]


@pytest.fixture
def file(evtx_file):
    return evtx_file([{"Image": f"{i}.exe", "CommandLine": "烽燧"} for i in range(20)], [{"Image": "last.exe"}])


def test_events_are_numbered_and_placed_at_their_chunk(file):
    (group,) = read(file)
    assert [fields["Image"] for fields in group.fields] == [*(f"{i}.exe" for i in range(20)), "last.exe"]
    assert group.records == list(range(1, 22))
    assert group.bytes_at == [0] * 20 + [CHUNK]
    assert group.identities[0] == "DESK-10|Microsoft-Windows-Sysmon/Operational|1|1772445601000000"
    assert group.raws[0].startswith(b'{"Event":')


def test_the_same_event_as_json_has_the_same_identity(file):
    (group,) = read(file)
    (same,) = load_format("windows_json").parse(group.raws, {"received": 0}, lambda type_: None)
    assert (same.fields, same.times, same.identities) == (group.fields, group.times, group.identities)


def test_unused_chunks_are_no_records(file):
    parts = Cutter(FORM, {}).feed(file + bytes(3 * CHUNK), final=True)
    assert [len(record) for part in parts for record in part.records] == [CHUNK, CHUNK]


def test_a_file_cut_off_in_a_chunk_gives_what_is_there(file):
    groups = read(file[: 4096 + 4000])
    found = events(groups)
    assert 0 < len(found) < 20 and found[0]["Image"] == "0.exe"
    assert len(lost(groups)) == 1 and f"{len(found)} of 20 events" in lost(groups)[0]


@pytest.mark.parametrize("size", [1, 100, 4095, 4096, 4096 + 8, 4096 + 100, 4096 + 513])
def test_a_file_cut_off_before_its_first_event_does_no_harm(file, size):
    groups = read(file[:size])
    assert events(groups) == [] and len(lost(groups)) == (0 if size == 4096 else 1)


def test_a_corrupt_chunk_is_kept_whole_and_counted(file):
    damaged = bytearray(file)
    damaged[4096 : 4096 + 8] = b"garbage!"
    groups = read(bytes(damaged))
    assert [fields["Image"] for fields in events(groups)] == ["last.exe"]
    (broken,) = [group for group in groups if group.unparsed]
    assert broken.raws == [bytes(damaged[4096 : 4096 + CHUNK])] and "no chunk" in broken.unparsed[0]


def test_a_corrupt_event_is_counted_and_the_next_chunk_read(file):
    damaged = bytearray(file)
    damaged[4096 + 2000 : 4096 + 6000] = b"\xff" * 4000
    groups = read(bytes(damaged))
    assert events(groups)[-1]["Image"] == "last.exe"
    assert 1 <= len(events(groups)) < 21 and len(lost(groups)) >= 1


@pytest.mark.parametrize("header", [b"ElfFile\0".ljust(4096, b"\xff"), b"ElfFile\0".ljust(4096, b"\0")])
def test_a_damaged_file_header_does_not_hide_the_events(file, header):
    assert len(events(read(header + file[4096:]))) == 21


def test_something_else_named_evtx_is_kept_as_it_is():
    data = b"MZ this is no event log " * 1000
    groups = read(data)
    assert [group.raws for group in groups] == [[data]] and len(lost(groups)) == 1


@pytest.fixture(scope="module")
def samples(shared):
    """The bytes of the shared attack samples, by name."""
    archive = next((shared / "events" / "evtx").glob("*.tar.xz"))
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.name.endswith(".evtx")]
        return {member.name: tar.extractfile(member).read() for member in members}


def test_chunk_by_chunk_gives_as_many_events_as_the_whole_file(samples):
    assert len(samples) == 277
    for name, data in samples.items():
        whole = sum(1 for _ in PyEvtxParser(io.BytesIO(data), number_of_threads=1).records_json())
        groups = read(data)
        assert (len(events(groups)), lost(groups)) == (whole, []), name


def test_the_common_shape_is_mapped_like_the_thorough_way(samples):
    common = 0
    for data in list(samples.values())[:120]:
        for record in PyEvtxParser(io.BytesIO(data), number_of_threads=1).records_json():
            value, _ = read_object(record["data"].encode(), {})
            try:
                found = common_fields(DECODER.decode(record["data"]))
            except ValueError:
                found = None
            if found is not None:
                common += 1
                assert found[0] == nested_fields(value)
    assert common > 1000
