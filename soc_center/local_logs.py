"""This machine's own logs as sources: what can be read becomes a source, what cannot is named."""

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from soc_model.layer import Layer
from soc_model.source import Logsource, Source

#: id, English and Chinese name, where Linux systems keep it, and the Sigma logsource where the text does not tell.
_LOGS: tuple[tuple[str, str, tuple[str, ...], Logsource | None], ...] = (
    ("syslog", "system log 系统日志", ("/var/log/syslog", "/var/log/messages"), None),
    ("auth", "authentication log 认证日志", ("/var/log/auth.log", "/var/log/secure"), None),
    ("kernel", "kernel log 内核日志", ("/var/log/kern.log",), None),
    ("cron", "scheduled jobs 计划任务日志", ("/var/log/cron", "/var/log/cron.log"), None),
    ("mail", "mail log 邮件日志", ("/var/log/mail.log", "/var/log/maillog"), None),
    (
        "packages",
        "package installations 软件安装日志",
        ("/var/log/dpkg.log", "/var/log/apt/history.log", "/var/log/dnf.log"),
        Logsource(product="linux", service="package"),
    ),
)


@dataclass(slots=True, kw_only=True)
class LocalLogs:
    """What this machine offers: sources, and the paths that are there but may not be read."""

    sources: list[Source] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def local_logs(unit: str, root: Path = Path("/")) -> LocalLogs:
    """The logs of this machine under ``root``."""
    found = LocalLogs()
    for name, title, paths, logsource in _LOGS:
        there = [path for path in paths if (root / path.lstrip("/")).is_file()]
        readable = [path for path in there if os.access(root / path.lstrip("/"), os.R_OK)]
        found.unreadable += [path for path in there if path not in readable]
        if readable:
            found.sources.append(
                _source(name, title, [str(root / path.lstrip("/")) for path in readable], unit, logsource)
            )
    return found


def _source(name: str, title: str, paths: list[str], unit: str, logsource: Logsource | None) -> Source:
    return Source(
        id=f"local-{name}",
        name=f"{platform.node() or 'this machine'} {title}",
        transport="file",
        format="syslog",
        layer=Layer.HOST,
        unit=unit,
        logsource=logsource,
        settings={"paths": paths, "follow": True, "from": "start"},
        options={"zone": local_zone()},
    )


def local_zone() -> str:
    """The name of this machine's time zone (``Asia/Shanghai``); UTC where the system does not tell."""
    try:
        target = str(Path("/etc/localtime").readlink())
    except OSError:
        target = ""
    _, found, zone = target.partition("zoneinfo/")
    return zone if found else "UTC"
