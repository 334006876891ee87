"""All checks on one data directory, in the order in which they are shown.

A check that fails itself is a diagnosis too: the doctor is asked when things are broken.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from soc_center.doctor.clock import check_clock, read_clock
from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn
from soc_center.doctor.kept import check_files, check_key, check_state, read_files, read_key, read_revision, read_set_up
from soc_center.doctor.parts import (
    check_console,
    check_packages,
    check_python,
    missing_assets,
    missing_packages,
    needed_packages,
)
from soc_center.doctor.place import (
    check_entries,
    check_file_system,
    check_latency,
    check_room,
    measure_latency,
    read_entries,
    read_kind,
    read_room,
)
from soc_center.doctor.ports import check_port, look_at
from soc_center.doctor.processes import check_memory, check_processes
from soc_center.doctor.rules import look_at_rules
from soc_center.doctor.sources import check_sources, match_paths
from soc_center.folder import DataFolder
from soc_center.gauge import now_us, read_gauge
from soc_center.health import health
from soc_center.local_logs import local_zone
from soc_center.rule_paths import OWN_RULES, rule_paths
from soc_center.settings import Settings, read_settings
from soc_model.problem import Problem

Check = Callable[[], Sequence[Diagnosis]]


def examine(folder: DataFolder) -> list[Diagnosis]:
    """Every diagnosis of a data directory and the machine it lies on."""
    found = [*_try("python", parts), *_try("folder", partial(place, folder))]
    there = folder.root.is_dir()
    settings, said = read(folder) if there else (None, [])
    found += said
    if there:
        found += _try("files", partial(kept, folder))
    if settings is not None:
        found += _try("ports", partial(ports, folder, settings))
        found += _try("sources", lambda: check_sources(settings.sources, match_paths(settings.sources)))
    found += _try("rules", partial(rules, folder, settings))
    found += _try("clock", lambda: check_clock(read_clock(_written(folder), local_zone())))
    if there:
        found += _try("processes", partial(processes, folder))
    return found


def _try(subject: str, check: Check) -> Sequence[Diagnosis]:
    try:
        return check()
    except Exception as error:
        what = f"this check itself failed: {type(error).__name__}: {error}"
        return [bad(subject, what, "check the permissions of the data directory; else report this line")]


def parts() -> list[Diagnosis]:
    """The installation."""
    running = sys.version_info[:2]
    needed = needed_packages(running)
    packages = check_packages(needed, missing_packages(needed))
    return [check_python(running), *packages, check_console(missing_assets())]


def place(folder: DataFolder) -> list[Diagnosis]:
    """The data directory, or the folder in which it would be made."""
    root = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    if root == folder.root and not root.is_dir():
        return [bad("folder", f"{root} is a file", "name another data directory (--data)")]
    if root == folder.root:
        found = check_entries(read_entries(root), os.geteuid())
    else:
        found = [warn("folder", f"{folder.root} is not there yet", "fengsui up --evaluation makes it")]
    found += [check_file_system(root, read_kind(root)), *check_room(read_room(root))]
    try:
        return [*found, check_latency(measure_latency(root))]
    except OSError as error:
        return [*found, bad("disk", f"{root} cannot be written: {error.strerror}", "check its owner and mount")]


def read(folder: DataFolder) -> tuple[Settings | None, list[Diagnosis]]:
    """The settings where they can be read, and what there is to say of them."""
    if not folder.settings.exists():
        return None, [warn("settings", f"{folder.settings} is not there yet", "fengsui up --evaluation writes one")]
    try:
        settings = read_settings(folder.settings)
    except Problem as problem:
        return None, [bad("settings", str(problem), "correct that line; nothing starts before")]
    units, sources = len(settings.units), len(settings.sources)
    return settings, [ok("settings", f"valid; units: {units}, sources: {sources}")]


def kept(folder: DataFolder) -> list[Diagnosis]:
    """The stores."""
    key = check_key(folder.secret_key, read_key(folder.secret_key), read_set_up(folder.state))
    return [check_state(folder.state, read_revision(folder.state)), key, *check_files(*read_files(folder))]


def ports(folder: DataFolder, settings: Settings) -> list[Diagnosis]:
    """Where the center listens; the intake only where a source sends to it."""
    wanted = {"console": (settings.listen.console, "serve")}
    if any(source.transport == "http" for source in settings.sources):
        wanted["intake"] = (settings.listen.intake, "collect")
    gauges = {what: read_gauge(folder.run, process) for what, (_, process) in wanted.items()}
    pids = {what: [gauge.pid] if gauge else [] for what, gauge in gauges.items()}
    return [check_port(what, listen, look_at(listen, pids[what])) for what, (listen, _) in wanted.items()]


def rules(folder: DataFolder, settings: Settings | None) -> list[Diagnosis]:
    """Our own rules, and those that the settings name or the library holds."""
    found = look_at_rules("our own rules", [OWN_RULES])
    if settings is None:
        return found
    others = [each.path for each in rule_paths(folder, settings.detection) if each.path != OWN_RULES]
    return found + (look_at_rules("the other rules", others) if others else [])


def processes(folder: DataFolder) -> list[Diagnosis]:
    """The running center."""
    seen = health(folder)
    return [*check_processes(seen, now_us()), *check_memory(seen)]


def _written(folder: DataFolder) -> list[Path]:
    return [path for kept in (folder.journal, folder.outcomes, folder.run) if kept.is_dir() for path in kept.iterdir()]
