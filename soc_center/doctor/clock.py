"""The clock: evidence and windows are worth what it is worth (MLPS asks for one time source)."""

import ctypes
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn

YEARS = range(2025, 2100)
BACK_S = 5.0
RATE = 0.005  # adjtime slews by 0.05 %; ten times that is no slewing
WATCH_S = 0.2
TIMEX_BYTES = 256  # more than any Linux's struct timex
UNSYNCHRONISED = 5  # adjtimex(2): TIME_ERROR


class Clock(NamedTuple):
    """What the clock was seen to do: ``newest_s`` is the newest time we ever wrote, ``rate`` wall to monotonic."""

    now_s: float
    newest_s: float
    rate: float
    synchronised: bool | None
    zone: str
    zone_known: bool


def check_clock(clock: Clock) -> list[Diagnosis]:
    """What is wrong with the clock."""
    said = datetime.fromtimestamp(clock.now_s, UTC)
    fix = "set the clock (timedatectl set-ntp true, or chrony)"
    found = []
    if said.year not in YEARS:
        found.append(bad("clock", f"says the year {said.year}", fix))
    if clock.newest_s - clock.now_s > BACK_S:
        found.append(
            bad("clock", f"has gone back: our files are from {clock.newest_s - clock.now_s:,.0f} s later", fix)
        )
    if abs(clock.rate - 1.0) > RATE:
        found.append(warn("clock", f"runs at {clock.rate:.3f} times the steady clock", "wait, then look again"))
    if clock.synchronised is False:
        found.append(warn("clock", "is not synchronised with any time server (NTP)", fix))
    if not clock.zone_known:
        found.append(bad("clock", f"time zone {clock.zone!r} is not known here", "install tzdata"))
    synchronised = "synchronised" if clock.synchronised else "synchronisation unknown"
    return found or [ok("clock", f"{said:%Y-%m-%d %H:%M:%S} UTC, {synchronised}, time zone {clock.zone}")]


def read_clock(written: Iterable[Path], zone: str, watch_s: float = WATCH_S) -> Clock:
    """The clock as it is; takes ``watch_s`` seconds. ``written`` are files of ours."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(watch_s)
    rate = (time.time() - wall) / (time.monotonic() - steady)
    times = [path.stat().st_mtime for path in written if path.exists()]
    return Clock(time.time(), max(times, default=0.0), rate, _synchronised(), zone, _known(zone))


def _synchronised() -> bool | None:
    """What the kernel says (adjtimex(2)); None where it does not."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != UNSYNCHRONISED


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
