"""What is kept: the state's revision, and whether every log file and manifest is of a version this release knows."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn
from soc_center.folder import DataFolder
from soc_model.problem import Problem
from soc_store import journal, manifest, outcome_log
from soc_store.log_files import list_files
from soc_store.state_tables import NAME, REVISION
from soc_store.versions import FileKind, open_reader


def check_state(path: Path, found: str | None) -> Diagnosis:
    """Whether the state is of this release's revision; None: there is no state yet, empty: it is something else."""
    if found is None:
        return ok("state", "none yet; the first start makes it")
    if not found:
        return bad("state", f"{path} is no {NAME} database", "put it aside, or bring back a copy")
    if found > REVISION:
        return bad("state", f"revision {found} was written by a newer release (ours: {REVISION})", "run that release")
    if found < REVISION:
        return warn("state", f"revision {found}, ours is {REVISION}", "fengsui up migrates it, after a copy")
    return ok("state", f"revision {found}, as it should be")


def check_key(path: Path, mode: int | None, set_up: int) -> Diagnosis:
    """Whether the key of the one-time codes is there for those set up; ``mode`` is its file's, None: no file."""
    if mode is None and set_up:
        fix = "bring it back; lost for good: make an empty file there, sign in with recovery codes, enrol devices anew"
        return bad("state", f"{path} is not there: the one-time codes of {set_up} people are sealed with it", fix)
    if mode is not None and mode & 0o077:
        return bad("state", f"{path} can be read by others", f"chmod 600 {path}")
    return ok("state", "the key of the one-time codes is there" if mode is not None else "no one-time codes yet")


def check_files(looked: int, problems: Sequence[Problem]) -> list[Diagnosis]:
    """Whether every file that was looked at is known."""
    fix = "put it aside (nothing reads it), or run the release that wrote it"
    found = [bad("files", str(problem), fix) for problem in problems]
    return found or [ok("files", f"{looked} journal, outcome and manifest files, all of known versions")]


def read_revision(path: Path) -> str | None:
    """The state's revision; None without a state, empty when it is no state database."""
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            name = connection.execute("SELECT value FROM meta WHERE name = 'name'").fetchone()
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return ""
    return str(revision[0]) if name == (NAME,) and revision else ""


def read_key(path: Path) -> int | None:
    """The mode of the key's file; None without one."""
    return path.stat().st_mode if path.exists() else None


def read_set_up(path: Path) -> int:
    """How many people have chosen password and device; 0 where the state cannot say."""
    if not path.exists():
        return 0
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM person WHERE set_up IS NOT NULL").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def read_files(folder: DataFolder) -> tuple[int, list[Problem]]:
    """How many files there are, and what is wrong with those that cannot be read."""
    kept = [
        *((file.path, journal.KIND) for file in list_files(folder.journal)),
        *((file.path, outcome_log.KIND) for file in list_files(folder.outcomes)),
        *((path, manifest.KIND) for path in sorted(folder.archive.glob(f"*/{manifest.FILE}"))),
    ]
    return len(kept), [problem for path, kind in kept if (problem := _problem(path, kind)) is not None]


def _problem(path: Path, kind: FileKind) -> Problem | None:
    try:
        open_reader(path, kind).close()
    except Problem as problem:
        return problem
    except FileNotFoundError:
        return None  # removed between being listed and being opened
    except sqlite3.Error as error:
        return Problem(str(path), str(error))
    return None
