"""Sends shots when they are due, through the real ways in: HTTP intake with the source's key, or the followed file.

Only this machine is ever addressed: an intake address that is not loopback is a Problem.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from soc_center.drill.campaign import Shot
from soc_model.problem import Problem

TICK_S = 0.05
TIMEOUT_S = 10.0
ATTEMPTS = 8


class Way(Protocol):
    """One way in: ``send`` returns once the records are handed over whole, or raises ``Problem``."""

    def send(self, records: Sequence[bytes]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeWay:
    """The HTTP intake of one source."""

    host: str
    port: int
    source_id: str
    key: str

    def send(self, records: Sequence[bytes]) -> None:
        """Post the records as lines; waits and tries again while the intake is full."""
        for _ in range(ATTEMPTS):
            status, wait_s = self._post(b"\n".join(records) + b"\n")
            if status == 200:
                return
            if status != 429:
                raise Problem(self.source_id, f"the intake answered {status}")
            time.sleep(wait_s)
        raise Problem(self.source_id, f"the intake was still full after {ATTEMPTS} attempts")

    def _post(self, body: bytes) -> tuple[int, float]:
        connection = HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-ndjson"}
        try:
            connection.request("POST", f"/v1/intake/{self.source_id}", body, headers)
            answer = connection.getresponse()
            answer.read()
            after = answer.headers.get("Retry-After", "1")
        except (OSError, HTTPException) as error:
            raise Problem(self.source_id, f"no intake at {self.host}:{self.port}: {error}") from error
        finally:
            connection.close()
        return answer.status, min(float(after), TIMEOUT_S) if after.isdecimal() else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWay:
    """The file that a file source follows."""

    path: Path

    def send(self, records: Sequence[bytes]) -> None:
        """Append the records as lines."""
        try:
            with self.path.open("ab") as file:
                file.write(b"\n".join(records) + b"\n")
        except OSError as error:
            raise Problem(str(self.path), str(error)) from error


def ways_in(intake_url: str, keys: Mapping[str, str], files: Mapping[str, Path]) -> dict[str, Way]:
    """A way in for each source with a key or a file; raises ``Problem`` unless the intake is on this machine."""
    host, port = _loopback(intake_url)
    posts = {name: IntakeWay(host=host, port=port, source_id=name, key=key) for name, key in keys.items()}
    return posts | {name: FileWay(path=path) for name, path in files.items()}


async def play(shots: Sequence[Shot], ways: Mapping[str, Way], begun: Callable[[str], None]) -> None:
    """Send every shot at its time; ``begun`` is told the id of each step as its first record goes out.

    ``shots`` are in the order of time. All that is due at one tick goes out together, a source's records in order.
    """
    at, steps = 0, set[str]()
    while at < len(shots):
        await asyncio.sleep(max(0.0, shots[at].at_us / 1_000_000 - time.time()))
        due = _due(shots, at, int(time.time() * 1_000_000))
        for shot in due:
            if shot.step and shot.step not in steps:
                steps.add(shot.step)
                begun(shot.step)
        await _send(due, ways)
        at += len(due)
        await asyncio.sleep(TICK_S)


def _due(shots: Sequence[Shot], at: int, now_us: int) -> list[Shot]:
    end = at + 1  # the one that was waited for goes out even where the clock was set back a little
    while end < len(shots) and shots[end].at_us <= now_us:
        end += 1
    return list(shots[at:end])


async def _send(due: Sequence[Shot], ways: Mapping[str, Way]) -> None:
    records: dict[str, list[bytes]] = {}
    for shot in due:
        records.setdefault(shot.source_id, []).append(shot.record)
    missing = sorted(records.keys() - ways.keys())
    if missing:
        raise Problem("drill", f"no key and no file for {', '.join(missing)}")
    await asyncio.gather(*(asyncio.to_thread(ways[name].send, lines) for name, lines in records.items()))


def _loopback(intake_url: str) -> tuple[str, int]:
    try:
        url = urlsplit(intake_url)
        host, port = url.hostname or "", url.port or 80
        ours = url.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        ours = False
    if not ours:
        raise Problem(intake_url, "a drill is only ever played to an intake on this machine (http, loopback)")
    return host, port
