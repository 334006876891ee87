"""What a kind of job is, and how to find one by its name.

A kind is a module of ``soc_center.jobs`` with ``run(job, place)``. It may say how much it may take (``CAPS``), how
often the clock asks for it (``EVERY_S``; None: on request only), how often it is tried again when its worker is lost
(``ATTEMPTS``), what it may be told (``Params``, a msgspec struct; without one nothing), and that it has rights of its
own (``OWN_DOOR``), so that whoever may run jobs in general may not run it.
Names are listed without importing anything. Run as a module it prints all kinds as JSON for ``kind_list``.
"""

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from soc_center import jobs
from soc_center.job_place import JobPlace
from soc_center.kind_list import KindNews
from soc_model.job import Caps, Job
from soc_model.problem import Problem

ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job as its module says."""

    name: str
    run: Callable[[Job, JobPlace], dict[str, Any]]
    caps: Caps
    every_s: int | None
    attempts: int
    params: type[msgspec.Struct] | None
    own_door: bool = False

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


def kind_names() -> list[str]:
    """The names of all kinds, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(jobs.__path__))


def load_kind(name: str) -> JobKind:
    """The kind of that name; raises ``Problem`` when there is none (any more)."""
    if name not in kind_names():
        raise Problem("kind", f"there is no such kind of job; there are {', '.join(kind_names())}")
    module = importlib.import_module(f"soc_center.jobs.{name}")
    return JobKind(
        name=name,
        run=module.run,
        caps=getattr(module, "CAPS", Caps()),
        every_s=getattr(module, "EVERY_S", None),
        attempts=getattr(module, "ATTEMPTS", ATTEMPTS),
        params=getattr(module, "Params", None),
        own_door=getattr(module, "OWN_DOOR", False),
    )


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
