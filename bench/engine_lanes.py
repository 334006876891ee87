"""The lanes of the engine bench, and their files: made once in a folder outside the project, then read again."""

import functools
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench import engine_cloud, engine_network, engine_windows
from bench.engine_lane import TAGGED, Lane, Part, tagged, told, write_events, write_lines
from soc_model.source import Logsource

SEED = 5
VERSION = 3  # of what the generators write; another one makes the files anew
WINDOWS = ("--event-logsource", "product=windows")
SSHD = Logsource(product="linux", service="sshd", category="syslog")
DNS = Logsource(product="zeek", service="dns", category="dns")
#: Events of each lane in a whole run; 0 means all there are.
EVENTS = {
    "windows": 500_000,
    "otrf": 0,
    "unique": 60_000,
    "sshd": 300_000,
    "zeek": 200_000,
    "eve": 150_000,
    "cloud": 150_000,
    "mixed": 150_000,
}


class Lanes:
    """Makes lanes of a folder of shared recordings, in a folder of its own."""

    def __init__(self, recordings: Path, cache: Path) -> None:
        self._recordings = recordings
        self._cache = cache
        cache.mkdir(parents=True, exist_ok=True)

    def make(self, name: str, events: int) -> Lane:
        """The lane of that name with so many events."""
        make: Callable[[int], Lane] = getattr(self, f"_{name}")
        return make(events)

    @functools.cached_property
    def _base(self) -> list[dict[str, Any]]:
        return engine_windows.recorded(self._recordings)

    def _path(self, name: str, events: int, suffix: str = "ndjson") -> Path:
        return self._cache / f"{name}-{VERSION}-{SEED}-{events}.{suffix}"

    def _windows(self, events: int) -> Lane:
        path = self._path("windows", events)
        write_events(path, _lazy(lambda: engine_windows.fleet(self._base, events, SEED)))
        about = "recorded attacks made many: GUIDs, process ids, times and 40 % of the command lines new; flat keys"
        return Lane(name="windows", about=about, parts=(_windows_part(path, events),))

    def _unique(self, events: int) -> Lane:
        path = self._path("unique", events)
        write_events(path, _lazy(lambda: engine_windows.unique(self._base, events, SEED)))
        about = "the same, but every text is one that no other event has"
        return Lane(name="unique", about=about, parts=(_windows_part(path, events),))

    def _otrf(self, events: int) -> Lane:
        path = self._path("otrf", events)
        lines = engine_windows.otrf(self._recordings)
        write_lines(path, islice(lines, events) if events else lines)
        about = "OTRF's recordings of attack scenarios, each event once: 3 KB an event, nxlog's flat keys"
        return Lane(name="otrf", about=about, parts=(_windows_part(path, _lines(path)),))

    def _sshd(self, events: int) -> Lane:
        path = self._path("sshd", events, "log")
        write_lines(path, engine_network.sshd(self._recordings, events, SEED))
        part = Part(
            path=str(path),
            events=events,
            format="syslog",
            logsource=SSHD,
            rsigma=("--input-format", "syslog", *told(SSHD)),
        )
        return Lane(
            name="sshd", about="lines of a syslog file; rsigma reads them by its own syslog input", parts=(part,)
        )

    def _zeek(self, events: int) -> Lane:
        path = self._path("zeek", events)
        write_events(path, engine_network.zeek_dns(self._recordings, events, SEED))
        part = Part(path=str(path), events=events, format="zeek", logsource=DNS, rsigma=told(DNS))
        return Lane(
            name="zeek", about="Zeek's DNS log, then copies with new connections and a third new names", parts=(part,)
        )

    def _eve(self, events: int) -> Lane:
        path = self._path("eve", events)
        write_events(path, engine_network.eve(events, SEED))
        about = (
            "Suricata's EVE: nested DNS, HTTP, TLS, flow, file and alert records, tagged, one mapping of names for both"
        )
        return Lane(name="eve", about=about, parts=(_tagged_part(path, events),))

    def _cloud(self, events: int) -> Lane:
        path = self._path("cloud", events)
        write_events(path, engine_cloud.cloud(events, SEED))
        about = "CloudTrail, Azure activity and sign-in, Okta: nested records, tagged"
        return Lane(name="cloud", about=about, parts=(_tagged_part(path, events),))

    def _mixed(self, events: int) -> Lane:
        path = self._path("mixed", events)
        write_events(path, _lazy(lambda: self._mixture(events)))
        about = "Windows, Zeek DNS, EVE and cloud records one by one in one file, all tagged"
        return Lane(name="mixed", about=about, parts=(_tagged_part(path, events),))

    def _mixture(self, events: int) -> Iterator[dict[str, Any]]:
        """Records of all kinds in random order."""
        chance = Random(SEED)
        tags = {"ls_product": "zeek", "ls_service": "dns", "ls_category": "dns"}
        kinds = (
            engine_windows.tagged(engine_windows.fleet(self._base, events, SEED)),
            ({**event, **tags} for event in engine_network.zeek_dns(self._recordings, events, SEED)),
            engine_network.eve(events, SEED),
            engine_cloud.cloud(events, SEED),
        )
        for _ in range(events):
            yield next(chance.choices(kinds, (40, 20, 20, 20))[0])


def _lazy(make: Callable[[], Iterator[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Events that are made when the first is asked for, which costs nothing where the file is there."""
    yield from make()


def _windows_part(path: Path, events: int) -> Part:
    return Part(path=str(path), events=events, format="windows_json", rsigma=WINDOWS)


def _tagged_part(path: Path, events: int) -> Part:
    return Part(path=str(path), events=events, format=TAGGED, rsigma=tagged())


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def first_event(lane: Lane, cache: Path) -> Lane:
    """The same lane with the first event of each file only: what remains of a run is start and rule load."""
    parts = []
    for part in lane.parts:
        path = cache / f"first-{Path(part.path).name}"
        with Path(part.path).open("rb") as file:
            path.write_bytes(file.readline())
        parts.append(msgspec.structs.replace(part, path=str(path), events=1))
    return msgspec.structs.replace(lane, parts=tuple(parts))
