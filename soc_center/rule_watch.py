"""Notices that rules on disk, or what the settings say of them, are others than before, and stand still.

A look is one ``stat`` a file, at most one part in a hundred of the time; contents are read only when a look differs.
"""

import os
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from soc_center.folder import DataFolder
from soc_center.rule_library import RuleLibrary
from soc_center.rule_paths import OWN_RULES, rule_paths
from soc_center.settings import read_settings
from soc_model.problem import Problem

LOOK_S = 1.0
SHARE = 100  # a look that took t is repeated after 100 t at the earliest
STABLE_S = 2.0  # so long nothing may have changed: an archive that is still being written is not taken
SUFFIXES = (".yml", ".yaml")


class RuleWatch:
    """What the rules of one data directory were made of when they were last taken."""

    def __init__(self, folder: DataFolder, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._settings, self._monotonic = folder, folder.settings, monotonic
        library = RuleLibrary(folder.rule_library)
        self._chosen = (library.active_file, library.states_file, folder.dear_rules)
        self._paths: list[Path] = [OWN_RULES]
        self._next = 0.0
        self._since = monotonic()
        self._content = self._read()
        self._seen = self._taken = b""

    def changed(self) -> bool:
        """Whether rules are to be taken anew; true once for each change."""
        now = self._monotonic()
        if now < self._next:
            return False
        seen = self._look()
        self._next = now + max(LOOK_S, SHARE * (self._monotonic() - now))
        if seen != self._seen:
            self._seen, self._since = seen, now
        if seen == self._taken or now - self._since < STABLE_S:
            return False
        self._taken = seen
        content, self._content = self._content, self._read()
        return content != self._content

    def _look(self) -> bytes:
        digest = sha256()
        for path in (self._settings, *self._chosen, *self._files()):
            digest.update(os.fsencode(path) + b"\0")
            try:
                found = path.stat()
            except OSError:
                continue
            digest.update(b"%d %d %d %d\0" % (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino))
        return digest.digest()

    def _read(self) -> bytes:
        """A digest of all that decides which rules run; also finds out where they are now."""
        digest = sha256(self._detection())
        for path in self._files():
            digest.update(os.fsencode(path) + b"\0")
            try:
                with path.open("rb") as file:
                    while data := file.read(1 << 16):
                        digest.update(data)
            except OSError:
                digest.update(b"unreadable")
        return digest.digest()

    def _detection(self) -> bytes:
        """What the settings, and people, say of detection; all of it where it cannot be read, so that it is tried and
        told."""
        chosen = b"".join(_bytes(path) for path in self._chosen)
        try:
            detection = read_settings(self._settings).detection
            self._paths = [each.path for each in rule_paths(self._folder, detection)]
        except Problem as problem:
            return str(problem).encode("utf-8", "backslashreplace") + _bytes(self._settings) + chosen
        return msgspec.json.encode(detection) + chosen

    def _files(self) -> Iterator[Path]:
        for path in self._paths:
            if path.is_dir():
                yield from _below(path)
            else:
                yield path


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if name.endswith(SUFFIXES))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
