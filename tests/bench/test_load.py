"""What the benches send and how they count it: the parts whose rot would make a figure a lie."""

import json
import re
import socket
import threading
from collections import Counter

import pytest

from bench.block import ID_PATTERN, Block, framed
from bench.counting import archived_blocks, compared
from bench.generator import Generator
from bench.load import Load, Sent, Way, block_of
from bench.stages import run_block
from collectors.format import load_format
from collectors.syslog_framing import SyslogStream
from soc_store.archive import Archive

NOW_S = 1_790_000_000
ID = re.compile(ID_PATTERN.encode())


@pytest.mark.parametrize(("kind", "shortest", "longest"), [("syslog", 150, 300), ("windows", 950, 1400)])
def test_every_line_has_one_id_that_no_other_has(kind, shortest, longest):
    block = block_of(kind, 200, seed=1)
    lines = [line for number in (7, 8) for line in block.filled(number, NOW_S).splitlines()]
    ids = Counter(found for line in lines for found in {match.groups() for match in ID.finditer(line)})
    assert len(lines) == len(ids) == 400
    assert set(ids.values()) == {1}
    assert all(shortest <= len(line) <= longest for line in lines)
    assert ids[b"0000000007", b"0000"] == 1


def test_windows_events_are_json_of_the_time_of_sending():
    events = [json.loads(line) for line in block_of("windows", 50, seed=2).filled(3, NOW_S).splitlines()]
    assert {event["EventTime"] for event in events} == {"2026-09-21 14:13:20"}
    assert len({event["EventRecordID"] for event in events}) == 50


def test_counted_frames_are_read_whole():
    stream = SyslogStream(load_format("syslog"), {})
    found = stream.feed(block_of("syslog", 30, seed=3, counted=True).filled(1, NOW_S))
    assert sum(len(records.records) for records in found) == 30
    assert stream.torn == 0
    assert framed(b"abc") == b"3 abc"


@pytest.mark.parametrize("lines", [0, 10_001])
def test_a_block_that_ids_cannot_number_is_refused(lines):
    with pytest.raises(ValueError, match="lines"):
        Block([b"x"] * lines)


def test_the_generator_says_what_it_sent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        received: list[bytes] = []

        def read() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(65_536):
                    received.append(data)

        reader = threading.Thread(target=read)
        reader.start()
        way = Way(over="tcp", kind="syslog", lines=10, rate=1000, place=server.getsockname())
        sent = Generator(Load(seconds=0.2, ways=[way])).run()
        reader.join(10)
    lines = b"".join(received).splitlines()
    assert sent.heard
    assert len(lines) == sum(sent.lines) == sum(n for n, out in zip(sent.lines, sent.out, strict=True) if out) > 0


def made(lines: list[int], out: list[int]) -> Sent:
    """A generator's report."""
    return Sent(lines=lines, out=out, seconds=1, bytes=1, cpu_s=0, refused=0, late_s=0, heard=True, began=0, ended=1)


def test_what_is_missing_or_nobodys_is_told():
    found = compared({0: 3, 1: 2, 9: 1}, made([3, 3, 3, 3], [1, 1, 0, 1]))
    assert found["acknowledged_or_out"] == 9
    assert found["lost"] == 4
    assert found["unknown"] == 1


def test_the_archive_is_counted_by_id(tmp_path):
    archive = Archive.open(tmp_path, lambda: 0)
    block = block_of("syslog", 20, seed=4)
    for offset, number in enumerate((5, 6, 6), 1):
        archive.add(run_block(block.filled(number, NOW_S), "syslog", offset))
    assert archive.seal_due(0, force=True) == 2, "a segment of events, and one of what was seen in them"
    archive.close()
    assert archived_blocks(tmp_path) == {"blocks": {5: 20, 6: 20}, "rows": 60, "doubled": 20, "without_id": 0}
