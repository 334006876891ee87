"""Bells, gauges and leashes: how processes of the center wake, tell and end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from soc_center.gauge import GaugeFile, done_through, forget_gauges, read_gauge
from soc_center.wake import drain, open_bell, wake

LIVE = """
import sys
from pathlib import Path
from soc_center.life import Life
life = Life(Path(sys.argv[1]), "test")
print("ready", flush=True)
while not life.stopping:
    life.wait(20)
    print("woken", flush=True)
"""


def readable(fd: int) -> bool:
    try:
        return bool(os.read(fd, 1))
    except BlockingIOError:
        return False


def test_a_bell_rings_once_for_many_wakes(tmp_path: Path) -> None:
    bell = open_bell(tmp_path, "p")
    assert not readable(bell)
    for _ in range(3):
        wake(tmp_path, "p")
    drain(bell)
    assert not readable(bell)
    os.close(bell)


def test_waking_nobody_does_nothing(tmp_path: Path) -> None:
    wake(tmp_path, "nobody")
    os.close(open_bell(tmp_path, "p"))
    wake(tmp_path, "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p.wake"]


def test_a_gauge_is_replaced_at_most_once_a_second(tmp_path: Path) -> None:
    gauge = GaugeFile(tmp_path, "p")
    gauge.set(n=1)
    gauge.set(n=2)
    first = read_gauge(tmp_path, "p")
    gauge.set(force=True, n=3)
    second = read_gauge(tmp_path, "p")
    assert first is not None and second is not None
    assert (first.values, second.values, first.pid) == ({"n": 1}, {"n": 3}, os.getpid())


@pytest.mark.parametrize(("sealed", "cursor", "through"), [(None, 5, 0), (5, None, 0), (7, 5, 5), (5, 7, 5)])
def test_only_what_is_sealed_and_triaged_may_go(
    tmp_path: Path, sealed: int | None, cursor: int | None, through: int
) -> None:
    if sealed is not None:
        GaugeFile(tmp_path, "archiver").set(sealed_through=sealed)
    if cursor is not None:
        GaugeFile(tmp_path, "triage").set(cursor=cursor)
    assert done_through(tmp_path) == through


def test_what_a_dead_process_said_removes_nothing(tmp_path: Path) -> None:
    GaugeFile(tmp_path, "archiver").set(sealed_through=9)
    GaugeFile(tmp_path, "triage").set(cursor=9)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = tmp_path / "triage.json"
    path.write_bytes(path.read_bytes().replace(b'"pid":%d' % os.getpid(), b'"pid":%d' % dead.pid))
    assert done_through(tmp_path) == 0


def test_gauges_of_an_earlier_life_are_forgotten(tmp_path: Path) -> None:
    GaugeFile(tmp_path, "triage").set(cursor=9)
    forget_gauges(tmp_path)
    assert read_gauge(tmp_path, "triage") is None


def test_a_gauge_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    GaugeFile(tmp_path / "gone", "p").set(n=1)
    assert read_gauge(tmp_path / "gone", "p") is None


def live(run: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "FENGSUI_LEASH": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("end", ["terminate", "leash"])
def test_a_process_ends_when_told_or_when_its_supervisor_is_gone(tmp_path: Path, end: str) -> None:
    with live(tmp_path) as process:
        assert process.stdin is not None
        if end == "leash":
            process.stdin.close()
        else:
            process.terminate()
        assert process.wait(10) == 0


def test_a_wait_ends_when_woken(tmp_path: Path) -> None:
    with live(tmp_path) as process:
        assert process.stdout is not None
        wake(tmp_path, "test")
        assert process.stdout.readline() == "woken\n"
        process.terminate()


def test_the_kernel_ends_what_computes_for_too_long() -> None:
    code = "from soc_center.limits import compute_at_most\ncompute_at_most(0)\nwhile True: pass"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == -signal.SIGXCPU
