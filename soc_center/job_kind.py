"""What a kind of job is, and how to find one by its name.

A kind is a module of ``soc_center.jobs`` with ``run(job, place)``. It may say how much it may take (``CAPS``), how often
the clock asks for it (``EVERY_S``; None: on request only), how often it is tried again when its worker is lost
(``ATTEMPTS``), and what it may be told (``Params``, a msgspec struct; without one nothing).
Names are listed without importing anything. Run as a module it prints all kinds as JSON, so that a process that only
needs to know them does not have to carry them.
"""

import importlib
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from soc_center import jobs
from soc_center.job_place import JobPlace
from soc_model.job import Caps, Job
from soc_model.problem import Problem

ATTEMPTS = 3
LIST_S = 60.0


class JobKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of job as its module says."""

    name: str
    run: Callable[[Job, JobPlace], dict[str, Any]]
    caps: Caps
    every_s: int | None
    attempts: int
    params: type[msgspec.Struct] | None

    def check(self, params: dict[str, Any]) -> None:
        """Raise ``Problem`` naming the parameter that the kind does not take."""
        if self.params is None:
            if params:
                raise Problem(f"params.{next(iter(params))}", f"{self.name} takes no parameters")
            return
        try:
            msgspec.convert(params, self.params)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$")
            raise Problem(f"params{where.rstrip('`')}", what) from error


class KindNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule must know of a kind."""

    name: str
    every_s: int | None
    attempts: int


def kind_names() -> list[str]:
    """The names of all kinds, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(jobs.__path__))


def load_kind(name: str) -> JobKind:
    """The kind of that name; raises ``Problem`` when there is none (any more)."""
    if name not in kind_names():
        raise Problem("kind", f"there is no kind of job {name!r}; there are {', '.join(kind_names())}")
    module = importlib.import_module(f"soc_center.jobs.{name}")
    return JobKind(
        name=name,
        run=module.run,
        caps=getattr(module, "CAPS", Caps()),
        every_s=getattr(module, "EVERY_S", None),
        attempts=getattr(module, "ATTEMPTS", ATTEMPTS),
        params=getattr(module, "Params", None),
    )


def kinds_apart() -> list[KindNews]:
    """All kinds, read in a process of its own; raises ``Problem`` when that fails."""
    command = [sys.executable, "-m", "soc_center.job_kind"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LIST_S, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 - our own module, no shell
    except (OSError, subprocess.SubprocessError) as error:
        raise Problem("kinds of jobs", f"cannot be listed: {error}") from error
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return msgspec.json.decode(done.stdout, type=list[KindNews])


def main() -> None:
    """Print all kinds that can be loaded as JSON; one that cannot is told on standard error."""
    found = []
    for name in kind_names():
        try:
            kind = load_kind(name)
        except Exception:
            print(f"the kind of job {name} cannot be loaded", file=sys.stderr)
            traceback.print_exc()
        else:
            found.append(KindNews(name=name, every_s=kind.every_s, attempts=kind.attempts))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
