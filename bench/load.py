"""What a load is made of, as the generator is told it and as it reports it."""

from random import Random
from typing import Literal

import msgspec

from bench.block import Block, framed
from bench.failed_logons import failed_logon
from bench.syslog_lines import syslog_line
from bench.windows_events import windows_event

Kind = Literal["syslog", "windows", "failed_logon"]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One sender: over what it sends, which events, how many at once, and how many a second (0: as many as it can)."""

    over: Literal["tcp", "http", "file"]
    kind: Kind
    lines: int
    rate: float
    place: tuple[str, int] = ("", 0)
    own: str = ""
    counted: bool = False
    source: str = ""
    key: str = ""
    path: str = ""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """All senders, for so many seconds."""

    seconds: float
    ways: list[Way]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator did. ``lines[n]``: the lines of block ``n``; ``out[n]``: 1 when it went out whole (HTTP: was
    acknowledged). ``late_s``: time that the rated load was behind by more than 50 ms and gave up."""

    lines: list[int]
    out: list[int]
    seconds: float
    bytes: int
    cpu_s: float
    refused: int
    late_s: float
    heard: bool
    began: float
    ended: float


RENDER = {"syslog": syslog_line, "windows": windows_event, "failed_logon": failed_logon}


def block_of(kind: Kind, lines: int, seed: int, *, counted: bool = False) -> Block:
    """A block of ``lines`` events, the same for the same seed; ``counted`` as octet-counted frames."""
    chance = Random(seed)
    rendered = [RENDER[kind](chance, number) for number in range(lines)]
    return Block([framed(line) if counted else line + b"\n" for line in rendered])
