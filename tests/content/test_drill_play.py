"""Playing the drill: records arrive in order and whole at an intake and in files, and nowhere but on this machine."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from soc_center.drill.campaign import Shot
from soc_center.drill.play import FileWay, IntakeWay, play, ways_in
from soc_model.problem import Problem

KEYS = {"drill-network": "key-n"}


class Intake(ThreadingHTTPServer):
    """A loopback intake that keeps what it is sent and answers with the given status codes first."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.received: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Intake

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.received.append((self.path, self.headers["Authorization"], body))
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def intake() -> Iterator[Callable[..., Intake]]:
    started: list[Intake] = []

    def start(*answers: int) -> Intake:
        server = Intake(*answers)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def shots(*records: tuple[str, str, str]) -> list[Shot]:
    now = time.time_ns() // 1000
    return [
        Shot(at_us=now + 20_000 * i, source_id=source, record=record.encode(), step=step)
        for i, (source, record, step) in enumerate(records)
    ]


def test_records_arrive_in_order_by_both_ways(intake: Callable[..., Intake], tmp_path: Path) -> None:
    server, file, begun = intake(), tmp_path / "host.log", list[str]()
    ways = ways_in(server.url, KEYS, {"drill-host": file})
    planned = [
        ("drill-network", "n1", ""),
        ("drill-host", "h1", "a"),
        ("drill-network", "n2", "b"),
        ("drill-host", "h2", "a"),
    ]
    asyncio.run(play(shots(*planned), ways, begun.append))
    assert file.read_bytes() == b"h1\nh2\n"
    assert b"".join(body for _, _, body in server.received) == b"n1\nn2\n"
    assert {head[:2] for head in server.received} == {("/v1/intake/drill-network", "Bearer key-n")}
    assert begun == ["a", "b"]


def test_a_full_intake_is_asked_again(intake: Callable[..., Intake]) -> None:
    server = intake(429, 429)
    IntakeWay(host="127.0.0.1", port=server.server_port, source_id="s", key="k").send([b"1", b"2"])
    assert [body for _, _, body in server.received] == [b"1\n2\n"]


@pytest.mark.parametrize("answers", [(401,), (413,), (500,), (429,) * 20])
def test_a_refusal_is_told(intake: Callable[..., Intake], answers: tuple[int, ...]) -> None:
    server = intake(*answers)
    with pytest.raises(Problem, match=r"^s: the intake (answered \d+|was still full)"):
        IntakeWay(host="127.0.0.1", port=server.server_port, source_id="s", key="k").send([b"1"])
    assert server.received == []


def test_no_intake_is_told(intake: Callable[..., Intake]) -> None:
    server = intake()
    server.shutdown()
    server.server_close()
    with pytest.raises(Problem, match="no intake at"):
        IntakeWay(host="127.0.0.1", port=server.server_port, source_id="s", key="k").send([b"1"])


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:8760",
        "https://127.0.0.1:8760",
        "http://soc.city.example",
        "http://127.0.0.1.example",
        "http://127.0.0.1:x",
        "x",
    ],
)
def test_only_this_machine_is_played_to(url: str) -> None:
    with pytest.raises(Problem, match="only ever played to an intake on this machine"):
        ways_in(url, KEYS, {})


def test_a_source_without_a_way_in_is_told(tmp_path: Path) -> None:
    ways = {"drill-host": FileWay(path=tmp_path / "h.log")}
    with pytest.raises(Problem, match="drill-data"):
        asyncio.run(play(shots(("drill-data", "x", "")), ways, print))


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="nowhere"):
        FileWay(path=tmp_path / "nowhere" / "h.log").send([b"x"])
