"""Compiled rules and their catalogues kept in the data directory, by what they were made of, so that a start need not
make them again.

Comes in: what decides which rules there are. Goes out: compiled rules and the catalogue of all documents. The one thing
to know: a file there is only ever a copy of what can be made again: one that is damaged, foreign or of another release
is passed over and replaced, and so is one whose other half is.
"""

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from detection_rules.snapshot import ENGINE_VERSION
from soc_center.rule_choice import RuleChoice
from soc_center.rule_compiler import Made, compile_rules, made_of
from soc_center.rule_paths import OWN_RULES
from soc_center.rule_watch import SUFFIXES
from soc_store.durable import publish

KEPT = 4  # pairs of files: the rules that run, those before, and a little more
RULES, CATALOGUE = ".rules", ".catalogue"
#: What decides how rules are read and compiled; another version of any makes them anew.
PACKAGES = ("fengsui", "pysigma", "pysigma-pipeline-sysmon", "pysigma-pipeline-windows", "hyperscan", "msgspec")
ENGINE = OWN_RULES.parent  # its mappings and titles decide as well, and so does its code


class CompiledRules:
    """The folder of compiled rules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, choice: RuleChoice) -> Made:
        """The chosen rules as they are kept, else compiled and then kept. Raises Problem as compiling does."""
        key = content_key(choice)
        found = self._read(key)
        if found is None:
            found = compile_rules(choice, key=key)
            if content_key(choice) == key:  # else files were changed while they were read
                self._keep(key, found)
        return found

    def _read(self, key: str) -> Made | None:
        try:
            encoded, catalogue = (self._path(key, kind).read_bytes() for kind in (RULES, CATALOGUE))
        except OSError:
            return None
        return made_of(encoded, catalogue, key)

    def _keep(self, key: str, made: Made) -> None:
        """Write the files; a disk on which that fails only costs the next start its time."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._path(key, CATALOGUE), made.catalogue)
            self._write(self._path(key, RULES), made.encoded)
            self._tidy()

    def _write(self, path: Path, data: bytes) -> None:
        new = path.with_suffix(f"{path.suffix}.{os.getpid()}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        publish(new, path)

    def _tidy(self) -> None:
        """Remove all but the newest, and what a process that was killed left unfinished."""
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        kept = {path.stem for path in [path for path in files if path.suffix == RULES][:KEPT]}
        for path in files:
            if path.suffix == ".new" or (path.suffix in (RULES, CATALOGUE) and path.stem not in kept):
                path.unlink(missing_ok=True)

    def _path(self, key: str, kind: str) -> Path:
        return self._folder / f"{key}{kind}"


def content_key(choice: RuleChoice) -> str:
    """SHA-256 over everything that decides what the rules compile to, and what their catalogue says.

    The bytes and places of rules, what is said of them, our mappings, titles and code, and the versions of the rest.
    """
    digest = sha256(f"engine {ENGINE_VERSION} {_engine()}\0".encode())
    digest.update("".join(f"{name} {_version(name)}\0" for name in PACKAGES).encode())
    digest.update(msgspec.json.encode(choice, order="deterministic"))
    for path, _ in choice.paths:
        for file in _files(Path(path)):
            data = _bytes(file)
            digest.update(b"%s\0%d\0" % (os.fsencode(file.absolute()), len(data)))
            digest.update(data)
    return digest.hexdigest()


@cache
def _engine() -> str:
    """A digest of the code that reads and matches rules and of the data it brings along; of its rules none."""
    digest = sha256()
    for path in sorted([*ENGINE.glob("*.*"), *ENGINE.glob("mappings/*.*")]):
        digest.update(b"%s\0%s\0" % (os.fsencode(path.name), sha256(_bytes(path)).digest()))
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
