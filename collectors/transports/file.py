"""Files: written to all the time (``follow: true``) or whole (``follow: false``), by glob patterns, restart safe.

Settings: ``paths`` (list of globs), ``follow`` (default true), ``from`` (``start`` or ``end``: where files begin that
are there at the very first start; default start). A file that is renamed is read to its end before its successor. A
file that is truncated begins anew. The unfinished last line waits for its end, for rotation, or for the end of a whole
file. What cannot be read is counted as ``unreadable``, logged once, and tried again.
"""

import asyncio
import glob
import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from collectors.following import Following, Piece, stream_of
from collectors.format import Format, load_format
from collectors.intake import Intake, IntakeFull
from soc_model.chunk import Chunk
from soc_model.source import Source

POLL_S = 0.1
SCAN_S = 0.5  # between looks for new and renamed files
FULL_S = 0.1  # to wait when the journal takes no more
ROTATED_QUIET_S = 1.0  # a renamed file that has not grown for so long is finished
LOG = logging.getLogger(__name__)


async def run(intake: Intake, listen: str = "") -> None:
    """Read all files of all sources until cancelled."""
    async with asyncio.TaskGroup() as group:
        for source in intake.sources:
            group.create_task(_Reader(intake, source, load_format(source.format)).run())


class _Found(NamedTuple):
    """A file that a pattern matches: where, and its size and time to see whether it still changes."""

    path: Path
    size: int
    changed_ns: int


class _Reader:
    """The files of one source, each by its identity. Threads only read files; all else happens in the event loop."""

    def __init__(self, intake: Intake, source: Source, form: Format) -> None:
        self._intake = intake
        self._source = source
        self._form = form
        self._patterns = [str(path) for path in source.settings.get("paths") or ()]
        self._follow = bool(source.settings.get("follow", True))
        self._positions = dict(intake.positions(source.id))
        self._skip = source.settings.get("from", "start") == "end" and self._follow
        self._open: dict[str, Following] = {}
        self._left: dict[str, float] = {}  # streams whose path is gone: since when they have not grown
        self._seen: dict[str, _Found] = {}
        self._done: dict[str, int] = {}  # whole files that were read: their size
        self._unreadable: set[str] = set()

    async def run(self) -> None:
        """Look for files, read what they have, wait, again."""
        loop = asyncio.get_running_loop()
        next_scan = loop.time()
        try:
            await self._open_renamed(loop.time())
            while True:
                if loop.time() >= next_scan:
                    await self._scan(loop.time())
                    next_scan = loop.time() + SCAN_S
                if not await self._read_all(loop.time()):
                    await asyncio.sleep(POLL_S)
        finally:
            for following in self._open.values():
                following.close()

    async def _open_renamed(self, now: float) -> None:
        """Open files that were renamed while we were stopped and not read to their end; they lie beside their path."""
        for stream, path in (await asyncio.to_thread(_moved, self._patterns, self._positions)).items():
            await self._begin(stream, path, skip=False)
            self._left[stream] = now

    async def _scan(self, now: float) -> None:
        """Find new files, and those that lost their path."""
        found, errors = await asyncio.to_thread(_matches, self._patterns)
        for path, error in errors.items():
            self._cannot_read(path, error)
        for stream, file in found.items():
            if stream in self._open:
                self._left.pop(stream, None)
                self._open[stream].path = file.path
            elif self._is_due(stream, file):
                await self._begin(stream, file.path, self._skip)
        for stream in self._open.keys() - found.keys():
            self._left.setdefault(stream, now)
        self._seen, self._skip = found, False

    def _is_due(self, stream: str, file: _Found) -> bool:
        """Whether to open a file: a whole one once it has stopped changing, and again when it has grown."""
        if self._follow:
            return True
        return self._seen.get(stream) == file and self._done.get(stream, -1) != file.size

    async def _begin(self, stream: str, path: Path, skip: bool) -> None:
        """Open a file at its last position, at its end, or at its beginning."""
        try:
            following = await asyncio.to_thread(self._opened, path, self._positions.get(stream), skip)
        except OSError as error:
            self._cannot_read(str(path), error)
            return
        self._unreadable.discard(str(path))
        self._open[following.stream] = following

    def _opened(self, path: Path, position: dict[str, Any] | None, skip: bool) -> Following:
        following = Following(path, self._form, self._source.options)
        if position is not None:
            following.resume(position)
        elif skip:
            following.skip_to_end()
        return following

    def _cannot_read(self, path: str, error: OSError) -> None:
        """Count and say once that a path cannot be read."""
        if path not in self._unreadable:
            self._unreadable.add(path)
            self._intake.count(self._source.id, "unreadable")
            LOG.warning("source %s: cannot read %s: %s", self._source.id, path, error.strerror)

    async def _read_all(self, now: float) -> bool:
        """Read one piece of every file; whether there was any."""
        found = False
        for stream, following in list(self._open.items()):
            try:
                found |= await self._read(stream, following, now)
            except OSError as error:
                self._cannot_read(str(following.path), error)
                self._close(stream)
        return found

    async def _read(self, stream: str, following: Following, now: float) -> bool:
        if following.size == following.at:
            await self._at_end(stream, following, now)
            return False
        if self._waits(stream, following):
            return False
        torn = following.torn
        for piece in await asyncio.to_thread(following.read):
            await self._append(stream, piece)
        if following.torn > torn:
            self._intake.count(self._source.id, "torn", following.torn - torn)
        if stream in self._left:
            self._left[stream] = now
        return True

    def _waits(self, stream: str, following: Following) -> bool:
        """Whether the file that had this path before has more to read."""
        before = (self._open[left] for left in self._left if left != stream and left in self._open)
        return any(other.path == following.path and other.size > other.at for other in before)

    async def _at_end(self, stream: str, following: Following, now: float) -> None:
        """Finish a whole file, or one that was renamed away and has been quiet."""
        if not self._follow:
            self._done[stream] = following.at
        elif stream not in self._left or now - self._left[stream] < ROTATED_QUIET_S:
            return
        await self._append(stream, await asyncio.to_thread(following.finish))
        self._close(stream)

    def _close(self, stream: str) -> None:
        self._open.pop(stream).close()
        self._left.pop(stream, None)

    async def _append(self, stream: str, piece: Piece) -> None:
        """Hand records in, waiting for as long as the journal is full."""
        chunks = list(self._chunks(stream, piece))
        while chunks:
            try:
                await self._intake.append(chunks)
                break
            except IntakeFull:
                await asyncio.sleep(FULL_S)
        if chunks:
            self._positions[stream] = {**piece.position, "context": chunks[-1].context}
            self._count(chunks)

    def _chunks(self, stream: str, piece: Piece) -> Iterator[Chunk]:
        for records in piece.records:
            yield Chunk(
                source_id=self._source.id,
                stream=stream,
                received=self._intake.now(),
                format=self._source.format,
                records=records.records,
                context=records.context,
                position=piece.position,
                oversize=records.oversize,
            )

    def _count(self, chunks: list[Chunk]) -> None:
        counts = {
            "records": sum(len(chunk.records) for chunk in chunks),
            "oversize": sum(len(chunk.oversize) for chunk in chunks),
        }
        for counter, n in counts.items():
            if n:
                self._intake.count(self._source.id, counter, n)


def _matches(patterns: list[str]) -> tuple[dict[str, _Found], dict[str, OSError]]:
    """The regular files that the patterns match, by stream; and the paths that cannot be looked at."""
    found: dict[str, _Found] = {}
    errors: dict[str, OSError] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
            try:
                status = Path(path).stat()
            except OSError as error:
                errors[path] = error
                continue
            if stat.S_ISREG(status.st_mode):
                found.setdefault(stream_of(status), _Found(Path(path), status.st_size, status.st_mtime_ns))
    return found, errors


def _moved(patterns: list[str], positions: dict[str, dict[str, Any]]) -> dict[str, Path]:
    """The files with a position that no pattern matches any more and that have more to read."""
    matched, _ = _matches(patterns)
    moved = ((stream, _moved_to(stream, position)) for stream, position in positions.items() if stream not in matched)
    return {stream: path for stream, path in moved if path is not None}


def _moved_to(stream: str, position: dict[str, Any]) -> Path | None:
    """Where a file of that identity lies now, in the folder it was last seen in."""
    try:
        for path in Path(str(position.get("path", ""))).parent.iterdir():
            status = path.stat()
            if stream_of(status) == stream and status.st_size > int(position.get("byte", 0)):
                return path if stat.S_ISREG(status.st_mode) else None
    except (OSError, ValueError):
        return None
    return None
