"""The sources: file sources whose paths match nothing or cannot be read, and http sources that share a key."""

import glob
import grp
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn
from soc_model.layer import Realm
from soc_model.source import Source


class Matched(NamedTuple):
    """What one path pattern of a source matches: how many files, and those that cannot be read with their group."""

    source_id: str
    pattern: str
    files: int
    unreadable: dict[str, str]


def check_sources(sources: Sequence[Source], matched: Sequence[Matched]) -> list[Diagnosis]:
    """Which file sources bring nothing, and why."""
    found: list[Diagnosis] = []
    for each in matched:
        place = f"{each.source_id}: {each.pattern}"
        if not each.files:
            found.append(
                warn("sources", f"{place} matches no file", "correct its paths in fengsui.yml, or wait for the file")
            )
        for path, group in each.unreadable.items():
            fix = f"usermod -aG {group} USER, then sign in again" if group not in ("", "root") else f"chmod o+r {path}"
            found.append(bad("sources", f"{each.source_id}: {path} cannot be read", fix))
    found += [
        warn("sources", f"{' and '.join(ids)} share one key: a bare key is refused", "fengsui source key, one a source")
        for ids in _sharing(sources)
    ]
    if not sources:
        found.append(warn("sources", "none configured: nothing is collected", "write some into fengsui.yml"))
    return found or [ok("sources", f"{len(sources)} configured, {sum(each.files for each in matched)} files readable")]


def _sharing(sources: Sequence[Source]) -> list[list[str]]:
    """The ids of sources that have the same intake key."""
    holders: dict[str, list[str]] = {}
    for source in sources:
        if source.transport == "http":
            holders.setdefault(source.key_sha256.lower(), []).append(source.id)
    return [ids for ids in holders.values() if len(ids) > 1]


def match_paths(sources: Sequence[Source]) -> list[Matched]:
    """What the patterns of the file sources match here."""
    return [
        _match(source.id, pattern)
        for source in sources
        if source.transport == "file" and source.realm is not Realm.DRILL  # the drill writes its own files when played
        for pattern in source.settings.get("paths", ())
    ]


def _match(source_id: str, pattern: str) -> Matched:
    paths = [path for path in glob.glob(pattern, recursive=True) if Path(path).is_file()]  # noqa: PTH207 - as transport
    unreadable = {path: _group(path) for path in paths if not os.access(path, os.R_OK)}
    return Matched(source_id, pattern, len(paths), unreadable)


def _group(path: str) -> str:
    try:
        return grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (KeyError, OSError):
        return ""
