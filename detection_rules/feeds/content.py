"""The files of a feed: plain, .gz, or the entries of a .zip, each as a bounded stream of bytes.

The one thing to know: sizes that an archive claims are not believed; what is read is counted, and too much is a
``Problem``, whichever way it was packed.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from detection_rules.feeds.entry import MAX_FILE_BYTES, MAX_FILES, MAX_LINE_BYTES, Refused
from soc_model.problem import Problem

BLOCK_BYTES = 1 << 20
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)


class Line(NamedTuple):
    """One line without its end; ``number`` counts from 1."""

    number: int
    text: str


class Content:
    """One file's bytes, once; ``left`` is what the whole import may still read."""

    def __init__(self, name: str, stream: IO[bytes], left: list[int]) -> None:
        self.name = name
        self._stream, self._left = stream, left

    def whole(self) -> bytes:
        """All of it."""
        parts = []
        while part := self._take(self._stream.read, BLOCK_BYTES):
            parts.append(part)
        return b"".join(parts)

    def lines(self) -> Iterator[Line | Refused]:
        """Its lines; one that is too long or no UTF-8 is refused and the next one read."""
        number = 0
        while line := self._take(self._stream.readline, MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                yield Refused(f"{self.name}:{number}", f"longer than {MAX_LINE_BYTES} bytes")
                while line and not line.endswith(b"\n"):
                    line = self._take(self._stream.readline, MAX_LINE_BYTES + 1)
                continue
            try:
                yield Line(number, line.decode("utf-8-sig" if number == 1 else "utf-8").strip())
            except UnicodeDecodeError:
                yield Refused(f"{self.name}:{number}", "is not UTF-8 text")

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            data = read(size)
        except _BROKEN as error:
            raise Problem(self.name, f"cannot be read: {error}") from error
        self._left[0] -= len(data)
        if self._left[0] < 0:
            raise Problem(self.name, f"the import is larger than {MAX_FILE_BYTES} bytes unpacked")
        return data


def contents(path: Path, suffixes: tuple[str, ...]) -> Iterator[Content]:
    """The files at a path: itself, or of a folder those with one of the suffixes; archives opened."""
    left = [MAX_FILE_BYTES]
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix in (*suffixes, ".gz", ".zip"))
    if not files or not path.exists():
        raise Problem(str(path), f"is not there, or has no file ending in {', '.join(suffixes)}")
    if len(files) > MAX_FILES:
        raise Problem(str(path), f"more than {MAX_FILES} files")
    for file in files:
        yield from _opened(file, left, suffixes)


def _opened(file: Path, left: list[int], suffixes: tuple[str, ...]) -> Iterator[Content]:
    try:
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                yield from _entries(file, archive, left, suffixes)
        elif file.suffix == ".gz":
            with gzip.open(file) as stream:
                yield Content(file.name, stream, left)  # type: ignore[arg-type]
        else:
            with file.open("rb") as plain:
                yield Content(file.name, plain, left)
    except _BROKEN as error:
        raise Problem(file.name, f"cannot be read: {error}") from error


def _entries(file: Path, archive: zipfile.ZipFile, left: list[int], suffixes: tuple[str, ...]) -> Iterator[Content]:
    entries = [one for one in archive.infolist() if not one.is_dir() and Path(one.filename).suffix in suffixes]
    if not entries or len(entries) > MAX_FILES:
        raise Problem(file.name, f"holds no file ending in {', '.join(suffixes)}, or more than {MAX_FILES}")
    for entry in sorted(entries, key=lambda one: one.filename):
        if entry.flag_bits & 0x1:
            raise Problem(f"{file.name}!{entry.filename}", "is encrypted")
        with archive.open(entry) as stream:
            yield Content(f"{file.name}!{entry.filename}", stream, left)
