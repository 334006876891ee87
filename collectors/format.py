"""What a format is, and how to find one by its name.

A format is two pure functions over bytes: ``cut`` (run by collect) finds whole records, ``parse`` (run by a detect
worker) gives events. It lives in ``formats/NAME.py`` as a module with these functions, or in ``formats/NAME.yml`` as
declared JSON (``collectors.declared``). The file name is its name; names are listed without importing anything.
"""

import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from collectors.declared import load_declared
from collectors.lines import Cut
from soc_model.event import EventGroup, Wanted
from soc_model.problem import Problem

__all__ = ["Cut", "Format", "format_names", "guess_format", "load_format"]

FORMATS = Path(__file__).parent / "formats"
HEAD_BYTES = 64 * 1024


class Format(Protocol):
    """Two pure functions and a recogniser. Invariants, for any bytes:

    - ``cut`` never raises; pieces of any size give the same records as one piece; with ``final`` nothing that could
      be a record stays in ``rest``.
    - ``parse`` never raises; each record gives exactly one event (an .evtx chunk: one for each event in it). What
      cannot be understood is an event in ``EventGroup.unparsed``.
    - ``wanted`` only spares work: a wanted field has the same value as when all are wanted.
    """

    @property
    def name(self) -> str: ...

    @property
    def own_numbers(self) -> bool:
        """Whether ``EventGroup.records`` holds the source's own record numbers, not indexes of the chunk's records."""
        ...

    # A format may have ``logsources() -> list[Logsource]``: what its events carry, "*" for a part that records decide.
    # And ``archived_as``: the name of the format that reads ``EventGroup.raws`` again, where those are not records.

    def recognise(self, head: bytes, path: str) -> bool:
        """Whether the first bytes of a file (at most ``HEAD_BYTES``) look like this format."""
        ...

    def cut(self, data: bytes, context: dict[str, Any], final: bool) -> Cut: ...

    def parse(self, records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]: ...


def format_names(folders: Sequence[Path] = ()) -> list[str]:
    """The names of all formats, sorted; nothing is imported or read."""
    ours = {path.stem for path in FORMATS.glob("[a-z]*.py")}
    declared = {path.stem for folder in (FORMATS, *folders) for path in folder.glob("[a-z]*.yml")}
    return sorted(ours | declared)


def load_format(name: str, folders: Sequence[Path] = ()) -> Format:
    """The format of that name; ``folders`` may hold more declared ones. Raises ``Problem`` when unknown or wrong."""
    if name in format_names(folders):
        if (FORMATS / f"{name}.py").is_file():
            return cast(Format, importlib.import_module(f"collectors.formats.{name}"))
        if (FORMATS / f"{name}.yml").is_file():
            return _shipped(name)
        return load_declared(next(path for folder in folders if (path := folder / f"{name}.yml").is_file()))
    raise Problem(f"format {name!r}", f"unknown; there are {', '.join(format_names(folders))}")


def format_of_decoder(decoder: str) -> Format | None:
    """The format that reads the raw of archived events again, by their ``decoder`` (``name@version``, with ``+`` and
    the inner one's where one carried the other); ``None`` where no format is known by that name."""
    name = decoder.partition("@")[0]
    if name not in format_names():
        return None
    form = load_format(name)
    return load_format(getattr(form, "archived_as", name))


@cache
def _shipped(name: str) -> Format:
    """A declared format of ours, read once: there are many, and all are asked who knows a file."""
    return load_declared(FORMATS / f"{name}.yml")


#: The order in which ``guess_format`` asks: the more telling a format's beginning, the earlier.
GUESS_ORDER = (
    "evtx",
    "auditd",
    "windows_json",
    "actiontrail",
    "kubernetes_audit",
    "cloudtrail",
    "azure",
    "azure_activity",
    "entra_audit",
    "entra_signin",
    "entra_risk",
    "gcp_audit",
    "google_workspace",
    "m365",
    "okta",
    "bitbucket_audit",
    "onelogin",
    "duo",
    "github_audit",
    "zeek",
    "zeek_tsv",
    "suricata_eve",
    "opencanary",
    "macos_es",
    "macos_log",
    "qualys",
    "iis_w3c",
    "proxy_w3c",
    "proxy_json",
    "nginx_json",
    "dns_json",
    "database_audit",
    "antivirus",
    "netflow",
    "fortigate",
    "squid",
    "web_access",
    "nginx_error",
    "apache_error",
    "journald",
    "beats",
    "json",
    "dpkg",
    "syslog",
    "app_log",
)


def guess_format(head: bytes, path: str, folders: Sequence[Path] = ()) -> str:
    """The name of the first format that recognises the beginning of a file, for ``--format auto``.

    Raises ``Problem`` when none does.
    """
    names = format_names(folders)
    for name in sorted(names, key=lambda name: (_rank(name), name)):
        if load_format(name, folders).recognise(head[:HEAD_BYTES], path):
            return name
    raise Problem(path, f"not recognised as any of {', '.join(names)}; name the format")


def _rank(name: str) -> float:
    """Where to ask a format: formats of other folders come before the two that take nearly anything."""
    return GUESS_ORDER.index(name) if name in GUESS_ORDER else GUESS_ORDER.index("json") - 0.5
