"""``zones.yml`` in the data directory: read when it has changed, checked whole, kept when it is right.

A wrong file leaves the last right one in force, also over a restart: every reference that was ever in force is kept
under its id in ``reference/``, where an outcome's name of it leads to what it meant.
"""

import time
from collections.abc import Callable, Collection
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from soc_center.folder import DataFolder
from soc_center.settings import read_settings
from soc_center.yaml_place import line_of
from soc_model.problem import Problem
from soc_model.reference import NO_REFERENCE, Reference, Zone, decode_zones, encode_zones
from soc_store.durable import publish

LOOK_S = 60.0
CURRENT = "current"
Word = Annotated[str, msgspec.Meta(min_length=1)]


class ZoneEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One zone as people write it."""

    name: Word
    unit: Word
    networks: list[Word] = []
    hosts: list[Word] = []


class ZonesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``zones.yml``; its first lines say what it is."""

    format: Literal["fengsui-zones"]
    version: Literal[1]
    zones: list[ZoneEntry]


def read_zones(path: Path, units: Collection[str]) -> Reference:
    """The reference in a file; ``Problem`` with file and line. No file is no zones."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return NO_REFERENCE
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(str(path), f"cannot be read: {error}") from error
    try:
        entries = msgspec.convert(yaml.safe_load(text), ZonesFile).zones
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Problem(place, getattr(error, "problem", None) or str(error)) from error
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        field = where.rstrip("`")
        raise Problem(f"{path}:{line_of(text, field)}", f"{field or '$'}: {what}") from error
    for number, entry in enumerate(entries):
        _check(entry, number, units, lambda field, what: Problem(f"{path}:{line_of(text, field)}", f"{field}: {what}"))
    try:
        return Reference([Zone(**msgspec.structs.asdict(entry)) for entry in entries])
    except ValueError as error:
        raise Problem(str(path), str(error)) from error


def _check(entry: ZoneEntry, number: int, units: Collection[str], wrong: Callable[[str, str], Problem]) -> None:
    at = f"$.zones[{number}]"
    if entry.unit not in units:
        raise wrong(f"{at}.unit", f"no unit {entry.unit!r} under units in fengsui.yml")
    for i, network in enumerate(entry.networks):
        try:
            ip_network(network)
        except ValueError as error:
            raise wrong(f"{at}.networks[{i}]", str(error)) from error
    for i, host in enumerate(entry.hosts):
        try:
            Reference([Zone(name=entry.name, unit=entry.unit, hosts=[host])])
        except ValueError as error:
            raise wrong(f"{at}.hosts[{i}]", str(error)) from error


class ZoneWatch:
    """The reference in force, and why it is not what the file says, where it is not."""

    def __init__(self, folder: DataFolder, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._monotonic = folder, monotonic
        self._looked = monotonic()
        self._seen = self._look()
        self.problem = ""
        self.reference = self._kept()
        self._read()

    def changed(self) -> bool:
        """Whether another reference is in force now; looks at most once a minute."""
        now = self._monotonic()
        if now - self._looked < LOOK_S:
            return False
        self._looked = now
        seen = self._look()
        # A file that was wrong may become right by a new unit in the settings.
        if seen == self._seen and not self.problem:
            return False
        self._seen = seen
        before = self.reference.id
        self._read()
        return before != self.reference.id

    def _read(self) -> None:
        try:
            there = self._folder.zones.exists()
            units = {unit.id for unit in read_settings(self._folder.settings).units} if there else set()
            found = read_zones(self._folder.zones, units)
        except Problem as problem:
            self.problem = str(problem)
            return
        self.problem = ""
        if found.id != self.reference.id:
            self.reference = found
            self._keep(found)

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._folder.zones.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _keep(self, reference: Reference) -> None:
        """The content under its id, then the id as the current one, each whole or not at all."""
        folder = self._folder.references
        folder.mkdir(mode=0o700, exist_ok=True)
        if reference.id:
            _publish(folder / f"{reference.id}.json", encode_zones(reference))
        _publish(folder / CURRENT, reference.id.encode())

    def _kept(self) -> Reference:
        try:
            name = (self._folder.references / CURRENT).read_text("utf-8")
            text = (self._folder.references / f"{name}.json").read_bytes()
            return Reference(decode_zones(text))
        except (OSError, ValueError):
            return NO_REFERENCE


def _publish(path: Path, content: bytes) -> None:
    made = path.with_name(f"{path.name}.new")
    made.write_bytes(content)
    publish(made, path)
