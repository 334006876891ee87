"""The parts of the installation: Python, packages, the console's scripts and translations."""

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from soc_api.console.catalog import DOMAIN, LANGUAGES, LOCALE
from soc_api.console.console import STATIC
from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn

OLDEST = (3, 11)
OPTIONAL = {"hyperscan": "regular expressions run in our own automaton, several times slower"}
SCRIPTS = ("htmx.min.js", "echarts.common.min.js")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BELOW = re.compile(r"python_version\s*<\s*['\"](\d+)\.(\d+)['\"]")


def check_python(running: tuple[int, int]) -> Diagnosis:
    """Whether this Python is new enough."""
    said = f"Python {running[0]}.{running[1]}"
    if running < OLDEST:
        return bad("python", said, f"install Python {OLDEST[0]}.{OLDEST[1]} or newer, then make PYTHON=python3.x env")
    return ok("python", said)


def check_packages(needed: Sequence[str], missing: Sequence[str]) -> list[Diagnosis]:
    """What is missing of the packages needed; some only cost speed."""
    found = [
        warn("packages", f"{name} is not installed: {cost}", f"pip install {name}")
        for name, cost in OPTIONAL.items()
        if name in missing
    ]
    if hard := [name for name in missing if name not in OPTIONAL]:
        found.append(bad("packages", f"not installed: {', '.join(hard)}", "make env, or install fengsui again"))
    return found or [ok("packages", f"all {len(needed)} are installed")]


def check_console(missing: Sequence[Path]) -> Diagnosis:
    """Whether the console's scripts and translations are there."""
    if missing:
        return bad("console", f"not there: {', '.join(map(str, missing))}", "make env fetches and compiles them")
    return ok("console", "scripts and translations are there")


def needed_packages(running: tuple[int, int]) -> list[str]:
    """The packages that fengsui says it needs on this Python."""
    try:
        lines = requires("fengsui") or []
    except PackageNotFoundError:
        return []
    return [name[0] for line in lines if _applies(line, running) and (name := _NAME.match(line))]


def _applies(requirement: str, running: tuple[int, int]) -> bool:
    _, _, marker = requirement.partition(";")
    below = _BELOW.search(marker)
    return "extra" not in marker and (below is None or running < (int(below[1]), int(below[2])))


def missing_packages(names: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def missing_assets(static: Path = STATIC, locale: Path = LOCALE) -> list[Path]:
    """The files that the console needs and that are not there."""
    catalogs = [locale / each.folder / "LC_MESSAGES" / f"{DOMAIN}.mo" for each in LANGUAGES if each.folder != "en"]
    return [path for path in (*(static / "vendor" / name for name in SCRIPTS), *catalogs) if not path.is_file()]
