"""The imported rules on disk: versions side by side, one of them active, at most one waiting to be confirmed.

    rule-library/versions/7/{rules.zip, about.json, diff.json}    active.json    pending.json    states.json

The one thing to know: a version folder appears whole (one rename) and is never changed, and which one runs is one small
file that is replaced; so whatever is killed in between, what ran goes on, and nothing half-written is ever read.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import TypeVar

import msgspec

from soc_center.gauge import is_running
from soc_model.problem import Problem
from soc_model.rule_library import Activation, LibraryDiff, LibraryState, LibraryVersion, PendingUpdate
from soc_store.durable import make_folder, publish, sync_file, sync_folder

KEPT = 5
ACTIVATIONS = 50
RULES, ABOUT, DIFF = "rules.zip", "about.json", "diff.json"
T = TypeVar("T")
#: Keeps in the audit record what is about to be done with a version.
Record = Callable[[int], None]


class ActiveFile(msgspec.Struct, frozen=True, kw_only=True):
    """Which version runs, 0 for none, and the last activations, oldest first."""

    format: str = "fengsui-rule-library/1"
    version: int = 0
    log: list[Activation] = []


class PendingFile(msgspec.Struct, frozen=True, kw_only=True):
    """Which version waits."""

    format: str = "fengsui-rule-pending/1"
    version: int


class RuleLibrary:
    """The library of one data directory; safe to use from many processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.active_file, self.pending_file = root / "active.json", root / "pending.json"
        self.states_file = root / "states.json"
        self._last_file = root / "last.json"  # the highest number ever given: a version that was refused keeps its own

    def active(self) -> ActiveFile:
        """What runs; ``Problem`` when the file that says so is damaged."""
        return _read(self.active_file, ActiveFile) or ActiveFile()

    def rules_path(self) -> Path | None:
        """The archive that runs; None before the first one."""
        version = self.active().version
        return self._folder(version) / RULES if version else None

    def state(self) -> LibraryState:
        """All there is to say of the library."""
        active = self.active()
        return LibraryState(
            active=active.version,
            versions=self.kept(active),
            activations=active.log[::-1],
            pending=self.pending(),
        )

    def kept(self, active: ActiveFile) -> list[LibraryVersion]:
        """The versions that ran and are still there, newest first."""
        ran = {each.version for each in active.log} - {0}
        return [found for version in sorted(ran, reverse=True) if (found := self.about(version)) is not None]

    def about(self, version: int) -> LibraryVersion | None:
        """What is known of a version; None where it is not there (whole)."""
        folder = self._folder(version)
        return _read(folder / ABOUT, LibraryVersion) if (folder / RULES).is_file() else None

    def pending(self) -> PendingUpdate | None:
        """What waits to be confirmed, with its difference to what ran when it was staged."""
        found = _read(self.pending_file, PendingFile)
        if found is None or found.version == self.active().version:
            return None  # killed between the confirmation and its last step
        about, diff = self.about(found.version), _read(self._folder(found.version) / DIFF, LibraryDiff)
        return None if about is None or diff is None else PendingUpdate(version=about, diff=diff)

    def archive(self, version: int) -> Path:
        """The archive of a version."""
        return self._folder(version) / RULES

    def staging(self) -> Path:
        """A fresh folder to put an archive together in; nothing reads it until it is published."""
        make_folder(self.root / "versions").chmod(0o700)
        folder = self.root / f"staging-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def put(self, staged: Path, about: LibraryVersion, diff: LibraryDiff) -> PendingUpdate:
        """Make the archive in the folder ``staged`` the version that waits, in place of any other."""
        with self.turn():
            about = msgspec.structs.replace(about, version=self._next())
            self._write(self._last_file, PendingFile(version=about.version))
            (staged / ABOUT).write_bytes(msgspec.json.encode(about))
            (staged / DIFF).write_bytes(msgspec.json.encode(diff))
            for each in (RULES, ABOUT, DIFF):
                sync_file(staged / each)
            sync_folder(staged)
            staged.rename(self._folder(about.version))
            sync_folder(self.root / "versions")
            self._write(self.pending_file, PendingFile(version=about.version))
            self._tidy()
        return PendingUpdate(version=about, diff=diff)

    def confirm(self, version: int, sha256: str, by: str, now: int, record: Record) -> LibraryVersion:
        """Make the version that waits the one that runs; ``Problem`` unless it is the very one that was looked at.

        ``record`` is called when nothing can be wrong any more, before it is done.
        """
        with self.turn():
            waiting = self.pending()
            if waiting is None or (waiting.version.version, waiting.version.sha256) != (version, sha256):
                raise Problem(f"version {version}", "is not what waits to be confirmed; look at what does")
            self._check(waiting.version)
            record(waiting.version.version)
            self._activate(version, by, now)
            self.pending_file.unlink(missing_ok=True)
            self._tidy()
            return waiting.version

    def refuse(self, version: int, record: Record) -> LibraryVersion:
        """Drop the version that waits."""
        with self.turn():
            waiting = self.pending()
            if waiting is None or waiting.version.version != version:
                raise Problem(f"version {version}", "is not what waits to be confirmed; look at what does")
            record(version)
            self.pending_file.unlink(missing_ok=True)
            self._tidy()
            return waiting.version

    def back(self, to: int | None, by: str, now: int, record: Record) -> int:
        """Make a kept version (by default the one before; 0: none) the one that runs; which one that is."""
        with self.turn():
            active = self.active()
            if active.version == 0 and to is None:
                raise Problem("rule library", "no imported rules run, so there is nothing to go back from")
            before = [each.version for each in self.kept(active) if each.version < active.version]
            version = to if to is not None else next(iter(before), 0)
            if version == active.version:
                raise Problem(f"version {version}", "runs already")
            if version:
                known = {each.version: each for each in self.kept(active)}
                if version not in known:
                    raise Problem(
                        f"version {version}", f"is not kept; there are {', '.join(map(str, known)) or 'none'}"
                    )
                self._check(known[version])
            record(version)
            self._activate(version, by, now)
            return version

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One changes the library, or what is kept of states, at a time."""
        make_folder(self.root).chmod(0o700)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _check(self, about: LibraryVersion) -> None:
        with self.archive(about.version).open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != about.sha256:
                raise Problem(str(self.archive(about.version)), "is not what was received: its SHA-256 is another one")

    def _activate(self, version: int, by: str, now: int) -> None:
        log = [*self.active().log, Activation(version=version, at=now, by=by)]
        self._write(self.active_file, ActiveFile(version=version, log=log[-ACTIVATIONS:]))

    def _next(self) -> int:
        there = [int(path.name) for path in (self.root / "versions").iterdir() if path.name.isdigit()]
        last = _read(self._last_file, PendingFile)
        return 1 + max([0 if last is None else last.version, *there])

    def _tidy(self) -> None:
        """Let go of all but the last ``KEPT`` versions that ran, the one that runs and the one that waits."""
        active, waiting = self.active(), self.pending()
        keep = {active.version, *(each.version for each in self.kept(active)[:KEPT])}
        if waiting is not None:
            keep.add(waiting.version.version)
        for folder in (self.root / "versions").iterdir():
            if not (folder.name.isdigit() and int(folder.name) in keep):
                shutil.rmtree(folder, ignore_errors=True)
        for folder in self.root.glob("staging-*"):
            if not is_running(int(folder.name.partition("-")[2])):
                shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, version: int) -> Path:
        return self.root / "versions" / str(version)

    def _write(self, path: Path, value: msgspec.Struct) -> None:
        made = path.with_suffix(".new")
        made.write_bytes(msgspec.json.encode(value))
        made.chmod(0o600)
        publish(made, path)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(str(path), f"cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise Problem(str(path), f"is damaged: {error}") from error
