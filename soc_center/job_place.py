"""Where a job runs: its data folder and settings, the clock, and how it tells how far it is."""

from collections.abc import Callable
from dataclasses import dataclass

from soc_center.folder import DataFolder
from soc_center.settings import Settings


class Cancelled(Exception):
    """Somebody asked that the job be ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much memory and time a job may take."""

    memory_bytes: int
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlace:
    """What a job is given. ``progress(done, total, text)`` raises Cancelled when the job was cancelled."""

    folder: DataFolder
    settings: Settings
    now: Callable[[], int]
    progress: Callable[..., None]
