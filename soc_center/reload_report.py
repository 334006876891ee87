"""What came of the last time that rules were to be exchanged: a small file in the run folder, for Health and people.

Asking is a file too: whoever wants the rules read again leaves ``reload.request`` and rings for the supervisor.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from soc_center.gauge import GaugeFile, read_gauge
from soc_center.wake import wake

NAME = "reload"


class Result(StrEnum):
    """What became of a wish for other rules."""

    EXCHANGED = "exchanged"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class ReloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """``pid`` is the process that was to follow; ``problem`` why it did not. The rules are those that run then."""

    result: Result
    problem: str = ""
    snapshot: str = ""
    rules: int = 0
    rules_refused: int = 0
    refusals: list[str] = []
    pid: int = 0
    at: int = 0


def tell(run: Path, result: Result, *, problem: str = "", **rules: Any) -> None:
    """Keep the report of this process in place of the one before; ``rules`` as in ``ReloadReport``."""
    GaugeFile(run, NAME).set(force=True, result=result.value, problem=problem, **rules)


def last_report(run: Path) -> ReloadReport | None:
    """The last report of this life of the center; None before the first."""
    gauge = read_gauge(run, NAME)
    if gauge is None:
        return None
    return msgspec.convert({**gauge.values, "pid": gauge.pid, "at": gauge.at}, ReloadReport)


def ask(run: Path, person: str) -> None:
    """Have the supervisor read the rules again; who asked stands in its output."""
    path = _request(run)
    made = path.with_suffix(".new")
    made.write_text(person, "utf-8")
    made.replace(path)
    wake(run, "up")


def asked(run: Path) -> str | None:
    """Who asked, which is thereby answered; None when nobody did."""
    try:
        person = _request(run).read_text("utf-8")
        _request(run).unlink()
    except OSError:
        return None
    return person


def is_asked(run: Path) -> bool:
    """Whether a wish waits to be seen."""
    return _request(run).exists()


def forget(run: Path) -> None:
    """Drop a wish of an earlier life: every process that starts reads the rules anyway."""
    _request(run).unlink(missing_ok=True)


def shown(refusals: Sequence[object], most: int) -> list[str]:
    """The first refusals as text."""
    return [str(refusal) for refusal in refusals[:most]]


def _request(run: Path) -> Path:
    return run / "reload.request"
