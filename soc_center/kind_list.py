"""The kinds of jobs as another process lists them, so that who only needs to know them does not carry their imports."""

import subprocess
import sys

import msgspec

from soc_model.problem import Problem

LIST_S = 60.0


class KindNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule must know of a kind."""

    name: str
    every_s: int | None
    attempts: int


def kinds_apart() -> list[KindNews]:
    """All kinds, read in a process of its own; raises ``Problem`` when that fails."""
    command = [sys.executable, "-m", "soc_center.job_kind"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            command, capture_output=True, timeout=LIST_S, check=True, stdin=subprocess.DEVNULL
        )
        found = msgspec.json.decode(done.stdout, type=list[KindNews])
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise Problem("kinds of jobs", f"cannot be listed: {error}") from error
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return found
