"""What the center is told: ``fengsui.yml`` in the data directory, checked whole before anything starts.

Errors name the file, the line and the field. Secrets are not in it: an intake key stands there as its SHA-256.
"""

import codecs
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from collectors.format import format_names
from collectors.listening import place_of
from soc_center.outbound_address import read_allowed
from soc_center.outbound_proxy import proxy_of
from soc_center.syslog_check import wrong_syslog
from soc_center.yaml_place import line_of
from soc_model.layer import Level, Realm, Unit
from soc_model.problem import Problem
from soc_model.source import Source
from soc_store.compaction import ROWS as COMPACT_ROWS
from soc_store.durable import publish
from soc_store.manifest_entry import LAWFUL_DAYS

VERSION = 1
CARRIER = "beats"  # the format whose records carry text of another


class FileSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """What a file source may be told; ``start`` stands as ``from`` in the file."""

    paths: Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=1)]
    follow: bool = True
    start: Literal["start", "end"] = "start"


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an http source may be told: more host names that the intake answers to."""

    hosts: list[str] = []


class SyslogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"senders": "from"}):
    """Where a syslog source listens, and whose messages are its; ``senders`` stands as ``from`` in the file."""

    senders: Annotated[list[str], msgspec.Meta(min_length=1)]
    udp: str = ""
    tcp: str = ""


class JournaldSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """Where a journald source begins at its very first start."""

    start: Literal["start", "end"] = "start"


TRANSPORTS: dict[str, type[msgspec.Struct]] = {
    "file": FileSettings,
    "http": HttpSettings,
    "journald": JournaldSettings,
    "syslog": SyslogSettings,
}


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the center listens, as ``host:port``. Both are loopback unless someone decides otherwise.

    A console beyond loopback is served over TLS only: ``certificate`` and ``private_key`` are PEM files. It is taken
    over as soon as the three administrators are set up; until then only loopback is served.
    """

    console: str = "127.0.0.1:8740"
    intake: str = "127.0.0.1:8741"
    certificate: str = ""
    private_key: str = ""


class RulePath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder, .yml or .zip of Sigma rules; ``imported`` when others wrote them: then level and status decide too."""

    path: str
    imported: bool


class Detection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rules run: our own are always there; ``rules`` are folders, .yml files or .zip files of Sigma rules.

    A folder or .yml is the site's own, a .zip and the rule library are imported, unless ``{path:, imported:}`` says
    otherwise. ``min_level`` is for imported rules only: those below are left out. Own rules are never left out by it.
    ``placeholders`` are the site's lists that rules ask for as ``%name%`` (``Administrators: [root, 'adm_*']``); one
    that is not declared is empty, so nothing counts as known or approved.
    """

    rules: list[str | RulePath] = []
    placeholders: dict[str, list[str | int]] = {}
    min_level: Level = Level.MEDIUM
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2


class ArchiveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the archiver seals a segment (whichever comes first), how long it keeps one, and how it proves that.

    ``retention_days`` counts from the day received; fewer than the law's 180 need a ``retention_decision`` (who, when,
    why). ``checkpoints`` is a folder outside the data directory (default: beside it, with ``-checkpoints``),
    ``checkpoint_key`` the file of the private key (default: ``key`` in that folder). With less than ``min_free_bytes``
    free on the disk of the data directory nothing is taken in. ``compact``: every hour small segments become one, until
    it has ``compact_rows``.
    """

    seal_rows: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000
    seal_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = LAWFUL_DAYS
    retention_decision: str = ""
    checkpoints: str = ""
    checkpoint_key: str = ""
    min_free_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 30
    compact: bool = True
    compact_rows: Annotated[int, msgspec.Meta(ge=2, le=2_000_000)] = COMPACT_ROWS


class OutboundSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the center may connect to beside the public internet: ``allow`` names networks (CIDR) and hosts in private
    ranges; loopback, link-local, metadata addresses and the center's own ports are never opened. ``proxy`` is
    ``http://host:port``; it is told addresses, not names."""

    allow: list[Annotated[str, msgspec.Meta(min_length=1, max_length=300)]] = []
    proxy: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``fengsui.yml``."""

    version: int
    name: str
    units: list[Unit]
    sources: list[Source]
    listen: Listen = Listen()
    detection: Detection = Detection()
    archive: ArchiveSettings = ArchiveSettings()
    outbound: OutboundSettings = OutboundSettings()
    hosts: list[str] = []

    def sources_by_id(self) -> dict[str, Source]:
        """The configured sources by id."""
        return {source.id: source for source in self.sources}


class SettingsProblem(Problem):
    """Something in ``fengsui.yml`` cannot be used; ``place`` is ``file:line``."""


def read_settings(path: Path) -> Settings:
    """The settings in a file; raises SettingsProblem with file and line."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise SettingsProblem(str(path), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsProblem(str(path), "is not UTF-8 text") from error
    try:
        data = yaml.safe_load(text)
        settings = msgspec.convert(data, Settings)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SettingsProblem(place, getattr(error, "problem", None) or str(error)) from error
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        field = where.rstrip("`")
        raise SettingsProblem(f"{path}:{line_of(text, field)}", f"{field or '$'}: {what}") from error
    _check(settings, path, text)
    return settings


def _check(settings: Settings, path: Path, text: str) -> None:
    def refuse(field: str, what: str) -> None:
        raise SettingsProblem(f"{path}:{line_of(text, field)}", f"{field}: {what}")

    if settings.version != VERSION:
        refuse("$.version", f"version {settings.version} is not known to this release (it reads {VERSION})")
    units = {unit.id for unit in settings.units}
    seen: set[str] = set()
    formats = set(format_names())
    for i, source in enumerate(settings.sources):
        at = f"$.sources[{i}]"
        if source.id in seen:
            refuse(f"{at}.id", f"{source.id!r} is there twice")
        seen.add(source.id)
        if source.unit not in units:
            refuse(f"{at}.unit", f"no unit {source.unit!r} under units")
        if source.transport not in TRANSPORTS:
            refuse(f"{at}.transport", f"no transport {source.transport!r}; there are {', '.join(TRANSPORTS)}")
        try:
            msgspec.convert(source.settings, TRANSPORTS[source.transport])
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$")
            refuse(f"{at}.settings{where.rstrip('`')}", what)
        if source.format not in formats:
            refuse(f"{at}.format", f"no format {source.format!r}; there are {', '.join(sorted(formats))}")
        if source.transport == "http" and not source.key_sha256:
            refuse(f"{at}", "an http source needs key_sha256 (fengsui source key)")
        if source.format == "evtx" and source.settings.get("follow", True):
            refuse(f"{at}.settings", "an .evtx file is read whole (follow: false): Windows rewrites its last chunk")
        _check_options(source, at, refuse)
    for i, field, what in wrong_syslog(settings.sources):
        refuse(f"$.sources[{i}].{field}", what)
    _check_archive(settings.archive, path.absolute().parent, refuse)
    for field in ("console", "intake"):
        try:
            host_port(getattr(settings.listen, field))
        except ValueError:
            refuse(f"$.listen.{field}", "must be host:port")
    _check_tls(settings.listen, refuse)
    _check_outbound(settings.outbound, refuse)


def _check_archive(archive: ArchiveSettings, data: Path, refuse: Callable[[str, str], None]) -> None:
    """Keeping less than the law asks for is a person's decision; a proof beside what it proves goes with it."""
    if archive.retention_days < LAWFUL_DAYS and not archive.retention_decision.strip():
        what = f"fewer than {LAWFUL_DAYS} days (the law's six months) need a retention_decision: who, when, why"
        refuse("$.archive.retention_days", what)
    for field in ("checkpoints", "checkpoint_key"):
        given = Path(getattr(archive, field))
        if getattr(archive, field) and not given.is_absolute():
            refuse(f"$.archive.{field}", "must be an absolute path")
        if given.is_absolute() and given.resolve().is_relative_to(data.resolve()):
            refuse(f"$.archive.{field}", "must be outside the data directory")


def _check_tls(listen: Listen, refuse: Callable[[str, str], None]) -> None:
    """A password never crosses a network in the clear."""
    if bool(listen.certificate) != bool(listen.private_key):
        refuse("$.listen.certificate", "certificate and private_key come together")
    if not is_loopback(listen.console) and not listen.certificate:
        refuse("$.listen.console", "beyond this machine it needs listen.certificate and listen.private_key (PEM)")
    for field in ("certificate", "private_key"):
        given = getattr(listen, field)
        if given and not Path(given).is_file():
            refuse(f"$.listen.{field}", "there is no such file")


def _check_outbound(outbound: OutboundSettings, refuse: Callable[[str, str], None]) -> None:
    """An entry that opens nothing, or more than was meant, is found here and not at the first call."""
    for i, entry in enumerate(outbound.allow):
        try:
            read_allowed([entry])
        except ValueError as error:
            refuse(f"$.outbound.allow[{i}]", f"neither a network (10.0.0.0/8) nor a host name: {error}")
    if outbound.proxy:
        try:
            proxy_of(outbound.proxy)
        except ValueError as error:
            refuse("$.outbound.proxy", str(error))


def _check_options(source: Source, at: str, refuse: Callable[[str, str], None]) -> None:
    """A zone or codec that is not known would be read as UTC or UTF-8 without a word."""
    zone, codec = source.options.get("zone"), source.options.get("codec")
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        refuse(f"{at}.options.zone", f"no time zone {zone!r} (IANA name, as Asia/Shanghai)")
    try:
        codecs.lookup(codec or "utf-8")
    except (LookupError, TypeError):
        refuse(f"{at}.options.codec", f"no codec {codec!r}")
    _check_inner(source, at, refuse)


def _check_inner(source: Source, at: str, refuse: Callable[[str, str], None]) -> None:
    """A carried text that no format reads would stay unread without a word."""
    if "inner" not in source.options:
        return
    if source.format != CARRIER:
        refuse(f"{at}.options.inner", f"only the format {CARRIER} carries another one")
    known = [name for name in format_names() if name not in (CARRIER, "evtx")]
    if (inner := source.options["inner"]) not in known:
        refuse(f"{at}.options.inner", f"no format {inner!r} for carried text; there are {', '.join(known)}")


def host_port(listen: str) -> tuple[str, int]:
    """The parts of ``host:port`` (``[::1]:port`` for IPv6); raises ValueError."""
    return place_of(listen)


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach that address."""
    host, _ = host_port(listen)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def write_settings(path: Path, settings: Settings, heading: str = "") -> None:
    """Replace the file with these settings, whole or not at all, readable by the owner only."""
    data = msgspec.to_builtins(settings)
    data["sources"] = [_lean(source) for source in data["sources"]]
    body = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{heading}{body}")
    publish(temporary, path)


def _lean(source: dict[str, Any]) -> dict[str, Any]:
    keep = {key: value for key, value in source.items() if value not in ({}, "", None)}
    return {key: value for key, value in keep.items() if (key, value) != ("realm", Realm.LIVE.value)}
