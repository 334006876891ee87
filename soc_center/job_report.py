"""What the process of a job and its worker say to each other: one order in, lines of JSON out."""

from typing import Any

import msgspec

from soc_model.job import Caps, Job


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The job to be done, and the process that wants it: whoever has another parent ends at once."""

    job: Job
    parent: int


class Began(msgspec.Struct, frozen=True, kw_only=True, tag="began"):
    """The kind was found; from here on its caps hold."""

    caps: Caps


class Progressed(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """How far it is."""

    done: int
    total: int
    text: str


class Succeeded(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """It is done, with this result."""

    result: dict[str, Any]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """It cannot be done, and trying again would not help."""

    error: str


class Stopped(msgspec.Struct, frozen=True, kw_only=True, tag="stopped"):
    """It ended because it was asked to."""


Report = Began | Progressed | Succeeded | Failed | Stopped
LINE_BYTES = 2 << 20
