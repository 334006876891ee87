"""Compiled rules kept in the data directory, by what they were made of, so that a start need not make them again.

Comes in: paths of rules and the least level. Goes out: compiled rules. The one thing to know: a file there is only ever
a copy of what can be made again: one that is damaged, foreign or of another release is passed over and replaced.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from detection_rules.compiled import Compiled, decode_compiled, encode_compiled
from detection_rules.snapshot import ENGINE_VERSION
from soc_center.rule_compiler import compile_rules
from soc_center.rule_watch import SUFFIXES
from soc_model.layer import Level
from soc_store.durable import publish

KEPT = 4  # files: the rules that run, those before, and a little more
#: What decides how rules are read and compiled; another version of any makes them anew.
PACKAGES = ("fengsui", "pysigma", "pysigma-pipeline-sysmon", "pysigma-pipeline-windows", "hyperscan", "msgspec")


class CompiledRules:
    """The folder of compiled rules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, paths: Sequence[Path], min_level: Level) -> Compiled:
        """The rules at the paths: as they are kept, else compiled and then kept. Raises Problem as compiling does."""
        key = content_key(paths, min_level)
        found = self._read(key)
        if found is None:
            found = compile_rules(paths, min_level=min_level, key=key)
            if content_key(paths, min_level) == key:  # else files were changed while they were read
                self._keep(key, found)
        return found

    def _read(self, key: str) -> Compiled | None:
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        return decode_compiled(data, key)

    def _keep(self, key: str, compiled: Compiled) -> None:
        """Write the file; a disk on which that fails only costs the next start its time."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = self._path(key).with_suffix(f".{os.getpid()}.new")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(encode_compiled(compiled))
            publish(made, self._path(key))
            self._tidy()

    def _tidy(self) -> None:
        """Remove all but the newest, and what a process that was killed left unfinished."""
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        whole = [path for path in files if path.suffix == ".rules"]
        for path in (*whole[KEPT:], *(path for path in files if path.suffix == ".new")):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.rules"


def content_key(paths: Sequence[Path], min_level: Level) -> str:
    """SHA-256 over everything that decides what the rules compile to: their bytes and places, settings, versions."""
    digest = sha256(f"engine {ENGINE_VERSION}\0level {min_level}\0".encode())
    digest.update("".join(f"{name} {_version(name)}\0" for name in PACKAGES).encode())
    for path in paths:
        digest.update(b"path " + os.fsencode(path.absolute()) + b"\0")
        for file in _files(path):
            data = _bytes(file)
            digest.update(b"%s\0%d\0" % (os.fsencode(file.absolute()), len(data)))
            digest.update(data)
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
    else:
        yield path


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return f"unreadable: {error.errno}".encode()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
