"""The drill in one call: it tells its story, waits for the alerts and ends with the verdict."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from soc_center.drill import run as drill
from soc_center.drill.sources import drill_files, drill_sources
from soc_model.alert import Alert
from soc_model.problem import Problem


class Accepting(BaseHTTPRequestHandler):
    """An intake that takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def intake_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Accepting)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def keys(folder: Path) -> dict[str, str]:
    return {source.id: "key" for source in drill_sources("u", folder) if source.transport == "http"}


def test_a_center_without_alerts_misses_all(intake_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "FAST_PACE", 0.01)
    monkeypatch.setattr(drill, "PATIENCE_S", 0.3)
    said, asked = list[str](), list[int]()

    def alerts() -> list[Alert]:
        asked.append(1)
        return []

    code = asyncio.run(drill.run(intake_url, keys(tmp_path), drill_files(tmp_path), alerts, said.append, True, 1))
    assert code == 1
    assert len(asked) > 1
    assert "found 0 of 19, missed 19" in said[-1]
    assert [text for text in said if "DNS隧道" in text]
    assert sum(len(path.read_bytes().splitlines()) for path in drill_files(tmp_path).values()) > 50


def test_a_center_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(Problem, match="no intake at"):
        asyncio.run(drill.run(url, keys(tmp_path), drill_files(tmp_path), list, print, True, 1))
