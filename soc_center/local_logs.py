"""This machine's own logs as sources: what can be read becomes a source, what cannot is named.

Where the systemd journal can be read it is the source of all that syslog would write into files, so that a message
comes once.
"""

import os
import platform
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from soc_model.layer import Layer
from soc_model.source import Source

#: id, English and Chinese name, where Linux systems keep it, and its format.
_LOGS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("syslog", "system log 系统日志", ("/var/log/syslog", "/var/log/messages"), "syslog"),
    ("auth", "authentication log 认证日志", ("/var/log/auth.log", "/var/log/secure"), "syslog"),
    ("kernel", "kernel log 内核日志", ("/var/log/kern.log",), "syslog"),
    ("cron", "scheduled jobs 计划任务日志", ("/var/log/cron", "/var/log/cron.log"), "syslog"),
    ("mail", "mail log 邮件日志", ("/var/log/mail.log", "/var/log/maillog"), "syslog"),
    ("packages", "package log 软件安装日志", ("/var/log/dpkg.log",), "dpkg"),
)
#: Where journald keeps the system's own journal (systemd-journald.service(8), FILES).
_JOURNALS = ("var/log/journal/*/system.journal", "run/log/journal/*/system.journal")


@dataclass(slots=True, kw_only=True)
class LocalLogs:
    """What this machine offers: sources, and the paths that are there but may not be read."""

    sources: list[Source] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def local_logs(unit: str, root: Path = Path("/")) -> LocalLogs:
    """The logs of this machine under ``root``."""
    found = LocalLogs()
    in_journal = _add_journal(found, unit, root)
    for name, title, paths, format_name in _LOGS:
        if in_journal and format_name == "syslog":
            continue
        there = [path for path in paths if (root / path.lstrip("/")).is_file()]
        readable = [path for path in there if os.access(root / path.lstrip("/"), os.R_OK)]
        found.unreadable += [path for path in there if path not in readable]
        if readable:
            at = [str(root / path.lstrip("/")) for path in readable]
            found.sources.append(_source(name, title, at, unit, format_name))
    return found


def _add_journal(found: LocalLogs, unit: str, root: Path) -> bool:
    """Add the journal as a source; whether it can be read."""
    journals = sorted(path for pattern in _JOURNALS for path in root.glob(pattern))
    if not journals or shutil.which("journalctl") is None:
        return False
    unreadable = [path for path in journals if not os.access(path, os.R_OK)]
    found.unreadable += [f"/{path.relative_to(root)}" for path in unreadable]
    if len(unreadable) == len(journals):
        return False
    found.sources.append(
        Source(
            id="local-journal",
            name=_titled("system journal 系统日志"),
            transport="journald",
            format="journald",
            layer=Layer.HOST,
            unit=unit,
            settings={"from": "start"},
        )
    )
    return True


def _source(name: str, title: str, paths: list[str], unit: str, format_name: str) -> Source:
    return Source(
        id=f"local-{name}",
        name=_titled(title),
        transport="file",
        format=format_name,
        layer=Layer.HOST,
        unit=unit,
        settings={"paths": paths, "follow": True, "from": "start"},
        options={"zone": local_zone()},
    )


def _titled(title: str) -> str:
    return f"{platform.node() or 'this machine'} {title}"


def local_zone() -> str:
    """The name of this machine's time zone (``Asia/Shanghai``); UTC where the system does not tell."""
    try:
        target = str(Path("/etc/localtime").readlink())
    except OSError:
        target = ""
    _, found, zone = target.partition("zoneinfo/")
    return zone if found else "UTC"
