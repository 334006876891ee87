"""The doctor's checks: each says what is wrong and what to do, and nothing where all is well."""

from pathlib import Path

import msgspec
import pytest

from detection_rules.rule import Refusal
from soc_api.services import Health, ProcessHealth
from soc_center.doctor.clock import Clock, check_clock
from soc_center.doctor.diagnosis import SUBJECTS, Diagnosis, Word
from soc_center.doctor.kept import check_files, check_key, check_state
from soc_center.doctor.parts import check_console, check_packages, check_python
from soc_center.doctor.place import GIB, Entry, Room, check_entries, check_file_system, check_latency, check_room
from soc_center.doctor.ports import Port, check_port, listening
from soc_center.doctor.processes import MB, check_memory, check_processes
from soc_center.doctor.rules import check_rules
from soc_center.doctor.sources import Matched, check_sources
from soc_model.layer import Layer
from soc_model.problem import Problem
from soc_model.source import Source
from soc_store.state_tables import REVISION

NOW_S = 1_795_000_000.0
NOW = int(NOW_S * 1e6)
ROOT = Path("/data")
CLOCK = Clock(now_s=NOW_S, newest_s=NOW_S - 1, rate=1.0, synchronised=True, zone="Asia/Shanghai", zone_known=True)
HTTP = Source(id="h1", name="h1", transport="http", format="json", layer=Layer.HOST, unit="u", key_sha256="ab")
SOURCE = Source(id="s1", name="s1", transport="file", format="syslog", layer=Layer.HOST, unit="u")


def running(**changes: object) -> Health:
    names = ("up", "collect", "detect", "triage", "archiver", "serve")
    processes = [ProcessHealth(name=name, pid=9, last_seen=NOW, memory_bytes=50 * MB) for name in names]
    health = Health(processes=processes, journal_offset=5, outcome_offset=5, triage_offset=5, archive_offset=5)
    return msgspec.structs.replace(health, **changes)


def with_process(**changes: object) -> Health:
    health = running()
    one = msgspec.structs.replace(health.processes[2], **changes)
    return running(processes=[*health.processes[:2], one, *health.processes[3:]])


def refusal(n: int) -> Refusal:
    return Refusal(path=f"{n}.yml", line=n, reason="placeholder has no value here")


WELL = [
    *([check_python((3, 11))], check_packages(["a"], []), [check_console([])]),
    check_entries([Entry(ROOT, 7, 0o700, True), Entry(ROOT / "fengsui.yml", 7, 0o600, False)], 7),
    check_entries([Entry(ROOT, 7, 0o700, True)], 0),
    *([check_file_system(ROOT, "ext4")], check_room(Room(20 * GIB, 0, 0)), [check_latency([0.002] * 20)]),
    *([check_key(ROOT, None, 0)], [check_key(ROOT, 0o100600, 3)]),
    *([check_state(ROOT, None)], [check_state(ROOT, REVISION)], check_files(3, [])),
    *([check_port("console", "127.0.0.1:1", port)] for port in (Port.FREE, Port.OURS)),
    *(check_sources([SOURCE], [Matched("s1", "/x*", 2, {})]), check_clock(CLOCK)),
    *(check_processes(running(), NOW), check_memory(running()), check_rules("ours", 3, [], "fix")),
    check_processes(running(processes=[ProcessHealth(name="up", pid=None, last_seen=0)]), NOW),
]


@pytest.mark.parametrize("found", WELL, ids=lambda found: found[0].cause)
def test_where_all_is_well_it_says_so_once(found: list[Diagnosis]) -> None:
    assert [(each.word, each.fix) for each in found] == [(Word.OK, "")]


BAD = [
    ([check_python((3, 9))], "Python 3.9"),
    (check_packages(["duckdb"], ["duckdb"]), "not installed: duckdb"),
    ([check_console([Path("/x/htmx.min.js")])], "not there: /x/htmx.min.js"),
    (check_entries([Entry(ROOT, 8, 0o700, True)], 7), "belongs to user 8, not 7"),
    (check_entries([Entry(ROOT, 7, 0o700, True), Entry(ROOT / "run", 0, 0o700, True)], 0), "/run belongs to user 0"),
    (check_entries([Entry(ROOT, 7, 0o755, True)], 7), "open to others (0755)"),
    (check_entries([Entry(ROOT / "state.db", 7, 0o640, False)], 7), "open to others (0640)"),
    (check_entries([Entry(ROOT, 7, 0o500, True)], 7), "has mode 0500"),
    ([check_file_system(ROOT, "nfs4")], "network file system (nfs4)"),
    (check_room(Room(GIB // 2, 0, 0)), "0.5 GiB free"),
    (check_room(Room(20 * GIB, 1000, 5))[1:], "5 of 1000 inodes"),
    ([check_latency([0.3] * 20)], "300.0 ms"),
    ([check_key(ROOT, None, 3)], "codes of 3 people"),
    ([check_key(ROOT, 0o100644, 3)], "can be read by others"),
    ([check_state(ROOT, "9999")], "written by a newer release"),
    ([check_state(ROOT, "")], "is no fengsui-state database"),
    (check_files(1, [Problem("/data/journal/1.db", "has version 9")]), "/data/journal/1.db: has version 9"),
    ([check_port("console", "127.0.0.1:1", Port.TAKEN)], "taken by another program"),
    ([check_port("intake", "0.0.0.0:80", Port.FORBIDDEN)], "needs rights of the system"),
    ([check_port("intake", "10.9.9.9:80", Port.NOT_HERE)], "no address of this machine"),
    (check_sources([SOURCE], [Matched("s1", "/x", 1, {"/x": "adm"})]), "s1: /x cannot be read"),
    (check_clock(CLOCK._replace(now_s=0.0, newest_s=0.0)), "the year 1970"),
    (check_clock(CLOCK._replace(newest_s=NOW_S + 3600)), "has gone back: our files are from 3,600 s later"),
    (check_clock(CLOCK._replace(zone="Mars", zone_known=False)), "'Mars' is not known"),
    (check_processes(with_process(pid=None), NOW), "detect does not run"),
    (check_processes(with_process(last_seen=NOW - 60_000_000), NOW), "detect has been silent for 60 s"),
]
WARN = [
    (check_packages(["hyperscan"], ["hyperscan"]), "hyperscan is not installed"),
    ([check_file_system(ROOT, "tmpfs")], "in memory (tmpfs)"),
    (check_room(Room(5 * GIB, 0, 0)), "5.0 GiB free"),
    ([check_latency([0.05] * 20)], "50.0 ms"),
    ([check_state(ROOT, "0000")], "revision 0000"),
    (check_sources([SOURCE], [Matched("s1", "/x*", 0, {})]), "s1: /x* matches no file"),
    (check_sources([], []), "none configured"),
    (check_sources([HTTP, msgspec.structs.replace(HTTP, id="h2")], []), "h1 and h2 share one key"),
    (check_clock(CLOCK._replace(rate=1.2)), "1.200 times"),
    (check_clock(CLOCK._replace(synchronised=False)), "not synchronised"),
    (check_processes(with_process(restarts=2), NOW), "detect was restarted 2 times"),
    (check_processes(running(journal_offset=1005), NOW), "detection is 1,000 batches behind"),
    (check_processes(running(overload={"dropped": 3, "torn": 1}), NOW), "dropped: 3"),
    (check_memory(with_process(memory_bytes=400 * MB)), "650 MB together of 500"),
    (check_rules("ours", 3, [refusal(4)], "fix"), "refused: 4.yml:4: placeholder"),
]


@pytest.mark.parametrize(
    ("found", "said", "word"),
    [(*each, Word.BAD) for each in BAD] + [(*each, Word.WARN) for each in WARN],
    ids=[said for _, said in BAD + WARN],
)
def test_where_something_is_wrong_it_says_what_and_what_to_do(found: list[Diagnosis], said: str, word: Word) -> None:
    (only,) = found
    assert only.word is word
    assert said in only.cause
    assert only.fix
    assert only.subject in SUBJECTS


def test_many_refused_rules_are_counted_not_listed() -> None:
    found = check_rules("the configured rules", 9, [refusal(n) for n in range(25)], "fix")
    assert [each.cause for each in found][-1] == "and 22 more of the configured rules"
    assert len(found) == 4


def test_memory_that_is_not_known_is_not_judged() -> None:
    processes = [ProcessHealth(name="up", pid=1, last_seen=NOW)]
    assert check_memory(running(processes=processes)) == []


def test_listening_sockets_are_told_from_others() -> None:
    table = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2224 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0100007F:2224 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 0100007F:2225 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
"""
    assert listening(table, 0x2224) == {"4711"}
