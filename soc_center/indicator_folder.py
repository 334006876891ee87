"""The folder of indicator sets: which set is in force, and how another takes its place, whole or not at all."""

from pathlib import Path

from soc_model.problem import Problem
from soc_store.durable import publish
from soc_store.indicator_set import IndicatorSet

CURRENT = "current"


def current_path(folder: Path) -> Path | None:
    """The file of the set in force; None where there is none. ``Problem`` where that cannot be told."""
    try:
        name = (folder / CURRENT).read_text("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(str(folder / CURRENT), f"cannot be read: {error}") from error
    if not (len(name) == 32 and name.isalnum()):
        raise Problem(str(folder / CURRENT), "does not name a set of indicators")
    return folder / f"{name}.set"


def open_current(folder: Path, *, verify: bool = False) -> IndicatorSet | None:
    """The set in force, mapped; None where there is none."""
    path = current_path(folder)
    return IndicatorSet.open(path, verify=verify) if path is not None else None


def put_in_force(folder: Path, made: Path) -> None:
    """Have everybody use the finished set ``made``; sets older than the one before it go."""
    before = current_path(folder)
    new = folder / f"{CURRENT}.new"
    new.write_text(made.stem, "ascii")
    publish(new, folder / CURRENT)
    keep = {made, before}
    for path in folder.glob("*.set"):
        if path not in keep:
            path.unlink(missing_ok=True)
