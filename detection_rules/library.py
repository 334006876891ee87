"""Rule files to rule documents: folders, zip archives, single files, many documents in one file.

Comes in: paths. Goes out: documents with file and line, and refusals for what could not be read. The one thing to
know: a file that cannot be read stops nothing; it becomes a refusal that names file and line.
"""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detection_rules.rule import Refusal, RuleDocument
from detection_rules.rule_yaml import MAX_TEXT_BYTES, parse_documents
from soc_model.problem import Problem

SUFFIXES = (".yml", ".yaml")
MAX_ENTRIES = 50_000
MAX_RATIO = 200
MAX_ARCHIVE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What a set of paths holds: documents in reading order, and what could not be read."""

    documents: list[RuleDocument]
    refused: list[Refusal]


def read_documents(paths: Sequence[Path]) -> Library:
    """The rule documents of files, folders (all ``.yml`` and ``.yaml`` below) and ``.zip`` archives.

    Raises ``Problem`` when a path itself is not there; everything inside it that is wrong becomes a refusal.
    """
    documents: list[RuleDocument] = []
    refused: list[Refusal] = []
    for path in paths:
        for found in _read_path(path):
            if isinstance(found, RuleDocument):
                documents.append(replace(found, shown=path.name + found.path.removeprefix(str(path))))
            else:
                refused.append(found)
    return Library(documents=documents, refused=refused)


def _read_path(path: Path) -> Iterator[RuleDocument | Refusal]:
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file()):
            yield from _read_file(file)
    elif not path.is_file():
        raise Problem(str(path), "no such file or folder of rules")
    elif path.suffix == ".zip":
        yield from _read_archive(path)
    else:
        yield from _read_file(path)


def _read_file(path: Path) -> Iterator[RuleDocument | Refusal]:
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            yield Refusal(path=str(path), line=1, reason=f"larger than {MAX_TEXT_BYTES} bytes")
            return
        data = path.read_bytes()
    except OSError as error:
        yield Refusal(path=str(path), line=1, reason=f"cannot be read: {error.strerror}")
        return
    yield from parse_documents(str(path), data)


def _read_archive(path: Path) -> Iterator[RuleDocument | Refusal]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _read_entries(path, archive)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        yield Refusal(path=str(path), line=1, reason=f"not a readable zip archive: {error}")


def _read_entries(path: Path, archive: zipfile.ZipFile) -> Iterator[RuleDocument | Refusal]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        yield Refusal(path=str(path), line=1, reason=f"more than {MAX_ENTRIES} entries")
        return
    left = MAX_ARCHIVE_BYTES
    for entry in sorted(entries, key=lambda entry: entry.filename):
        if entry.is_dir() or not entry.filename.endswith(SUFFIXES):
            continue
        place = f"{path}!{entry.filename}"
        reason = _refuse_entry(entry, left)
        if reason:
            yield Refusal(path=place, line=1, reason=reason)
            continue
        left -= entry.file_size
        yield from _read_entry(place, archive, entry)


def _refuse_entry(entry: zipfile.ZipInfo, left: int) -> str:
    """Why an entry is not unpacked, or the empty string; the sizes are its own claims, and reading holds it to them."""
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.file_size > MAX_TEXT_BYTES:
        return f"larger than {MAX_TEXT_BYTES} bytes unpacked"
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return f"packed more than {MAX_RATIO} times smaller than it is"
    if entry.file_size > left:
        return f"the archive holds more than {MAX_ARCHIVE_BYTES} bytes unpacked"
    return ""


def _read_entry(place: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[RuleDocument | Refusal]:
    try:
        with archive.open(entry) as stream:
            data = stream.read(entry.file_size + 1)
    except Exception as error:  # zipfile raises what its decompressors raise: zlib, lzma, struct, NotImplementedError
        yield Refusal(path=place, line=1, reason=f"cannot be unpacked: {error}")
        return
    yield from parse_documents(place, data)
