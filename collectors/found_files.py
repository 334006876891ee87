"""Where the files of a source are: those its patterns match, and those that were renamed away from them.

All here blocks and is meant for a thread. A file that cannot be looked at hides no other.
"""

import glob
import os
import stat
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from collectors.following import stream_of


class FoundFile(NamedTuple):
    """A regular file: where, and its size and time to see whether it still changes."""

    path: Path
    size: int
    changed_ns: int


def matched_files(patterns: list[str]) -> tuple[dict[str, FoundFile], dict[str, OSError]]:
    """The regular files that the patterns match, by stream; and the paths that cannot be looked at."""
    found: dict[str, FoundFile] = {}
    errors: dict[str, OSError] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
            try:
                status = Path(path).stat()
            except OSError as error:
                errors[path] = error
                continue
            if stat.S_ISREG(status.st_mode):
                found.setdefault(stream_of(status), FoundFile(Path(path), status.st_size, status.st_mtime_ns))
    return found, errors


def moved_files(positions: Mapping[str, Mapping[str, Any]], patterns: list[str]) -> dict[str, Path]:
    """Where files with these positions lie under another name and have more to read, the longest unchanged first.

    Looked for in the folder each was last seen in, if its name there is still one to be read.
    """
    known = {
        stream: Path(position["path"])
        for stream, position in positions.items()
        if position.get("fingerprint_bytes") and _may_match(str(position.get("path", "")), patterns)
    }
    lying = {stream: file for folder in {path.parent for path in known.values()} for stream, file in _files_in(folder)}
    moved = [
        (file.changed_ns, stream)
        for stream, path in known.items()
        if (file := lying.get(stream)) and file.path != path and _has_more(file, positions[stream])
    ]
    return {stream: lying[stream].path for _, stream in sorted(moved)}


def _has_more(file: FoundFile, position: Mapping[str, Any]) -> bool:
    """Whether a file goes on behind a position; a packed one that was read to its end keeps its size there."""
    if "packed_bytes" in position:
        return bool(file.size != position["packed_bytes"])
    return bool(file.size > position.get("byte", 0))


def _may_match(path: str, patterns: list[str]) -> bool:
    """Whether a pattern may match the path; a little too often, because ``*`` is let over slashes."""
    return any(fnmatchcase(path, pattern.replace("**/", "*")) for pattern in patterns)


def _files_in(folder: Path) -> Iterator[tuple[str, FoundFile]]:
    """The regular files that lie in a folder, by stream; nothing where it cannot be listed."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield stream_of(status), FoundFile(Path(entry.path), status.st_size, status.st_mtime_ns)
