"""Files that are there in whole or not at all, also after a power cut."""

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Return once the content of ``path`` is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Return once the names in the folder ``path`` are on the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def publish(made: Path, final: Path) -> None:
    """Give the finished file ``made`` its name ``final``; content first, then the name, each synced."""
    sync_file(made)
    made.replace(final)
    sync_folder(final.parent)


def make_folder(path: Path) -> Path:
    """``path``, made with its parents where missing, each new name synced in its parent."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_folder(folder.parent)
    return path


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
