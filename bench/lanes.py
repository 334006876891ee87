"""The lanes of the node bench: which sources the center has, and which load comes in over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.center import KEY, KEY_SHA256, UNIT, free_port
from bench.load import Way

SYSLOG_CONNECTIONS = 20
SYSLOG_LINES = 100  # in one sending
HTTP_CONNECTIONS = 8
WINDOWS_EVENTS = 250  # in one request
EACH = 10.0  # events a second of each of the 200 sources


class Lane(NamedTuple):
    """Sources as ``fengsui.yml`` has them, and the ways of the load, given the intake's port."""

    sources: list[dict[str, Any]]
    ways: Callable[[int], list[Way]]


def syslog(folder: Path, rate: float) -> Lane:
    """Syslog lines over 20 TCP connections, half of them octet-counted; lines name 200 hosts."""
    port = free_port()
    each = rate / SYSLOG_CONNECTIONS

    def ways(_: int) -> list[Way]:
        return [
            Way(over="tcp", kind="syslog", lines=SYSLOG_LINES, rate=each, place=("127.0.0.1", port), counted=i % 2 == 1)
            for i in range(SYSLOG_CONNECTIONS)
        ]

    return Lane([_syslog_source("syslog", port, "127.0.0.1")], ways)


def windows(folder: Path, rate: float) -> Lane:
    """Windows events of 1 KB over 8 HTTP connections, 250 in a request, each acknowledged once it is durable."""
    each = rate / HTTP_CONNECTIONS

    def ways(intake: int) -> list[Way]:
        way = Way(
            over="http",
            kind="windows",
            lines=WINDOWS_EVENTS,
            rate=each,
            place=("127.0.0.1", intake),
            source="windows",
            key=KEY,
        )
        return [way] * HTTP_CONNECTIONS

    return Lane([_http_source("windows", "windows_json")], ways)


def sources200(folder: Path, rate: float) -> Lane:
    """200 sources of 10 events a second: 100 syslog connections and 50 followed files, event by event; 50 senders of
    Windows events over HTTP, ten at once each second. ``rate`` is of all together, 0 for those 2,000."""
    port = free_port()
    each = rate / 200 if rate else EACH
    addresses = [f"127.0.1.{i + 1}" for i in range(100)]
    paths = [folder / "followed" / f"file{i:02}.log" for i in range(50)]
    paths[0].parent.mkdir()
    for path in paths:
        path.touch()
    sources = [_syslog_source(f"tcp{i:03}", port, address) for i, address in enumerate(addresses)]
    sources += [_file_source(f"file{i:02}", path) for i, path in enumerate(paths)]
    sources += [_http_source(f"http{i:02}", "windows_json") for i in range(50)]

    def ways(intake: int) -> list[Way]:
        here = "127.0.0.1"
        found = [
            Way(over="tcp", kind="syslog", lines=1, rate=each, place=(here, port), own=address) for address in addresses
        ]
        found += [Way(over="file", kind="syslog", lines=1, rate=each, path=str(path)) for path in paths]
        found += [
            Way(over="http", kind="windows", lines=10, rate=each, place=(here, intake), source=f"http{i:02}", key=KEY)
            for i in range(50)
        ]
        return found

    return Lane(sources, ways)


LANES = {"syslog": syslog, "windows": windows, "sources200": sources200}


def _source(name: str, transport: str, form: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "transport": transport,
        "format": form,
        "layer": "terminal" if form == "windows_json" else "host",
        "unit": UNIT,
        **more,
    }


def _syslog_source(name: str, port: int, sender: str) -> dict[str, Any]:
    return _source(name, "syslog", "syslog", settings={"tcp": f"127.0.0.1:{port}", "from": [sender]})


def _http_source(name: str, form: str) -> dict[str, Any]:
    return _source(name, "http", form, trust="key", key_sha256=KEY_SHA256)


def _file_source(name: str, path: Path) -> dict[str, Any]:
    return _source(name, "file", "syslog", settings={"paths": [str(path)], "follow": True, "from": "start"})
