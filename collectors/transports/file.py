"""Files: written to all the time (``follow: true``) or whole (``follow: false``), by glob patterns, restart safe.

Settings: ``paths`` (list of globs), ``follow`` (default true), ``from`` (``start`` or ``end``: where files begin that
are there at the very first start; default start). A file that is renamed is read to its end before its successor, and
kept open for minutes, because who writes it may not have noticed. A file that is truncated begins anew. The unfinished
last line waits for its end, for rotation, or for the end of a whole file; one that nobody ends counts as ``torn``. A
file that comes back under another device number goes on where it was. What cannot be read is counted as
``unreadable``, logged once, and tried again.

A file whose name ends in ``.gz`` is read whole, once it has stopped changing. When it is what a file that was being
read was packed into (rotation with compression), it goes on where that one was left, as soon as nobody reads that one
any more: nothing is lost and nothing read twice, if the patterns cover it. One that ends too early is read as far as it
goes, and further when it grows; one that is no gzip, or unpacks to over 300 times its size, is ``unreadable`` and left
alone until it changes.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from errno import EILSEQ
from itertools import islice
from pathlib import Path
from typing import Any

from collectors.cutting import Records
from collectors.following import FINGERPRINT_BYTES, Following, Piece
from collectors.format import Format, load_format
from collectors.found_files import FoundFile, matched_files, moved_files
from collectors.intake import Intake, IntakeFull, counted
from collectors.packed_file import PackedFile, is_packed
from soc_model.chunk import Chunk
from soc_model.source import Source

POLL_S = 0.1
SCAN_S = 0.5  # between looks for new and renamed files
MOVED_S = 30.0  # between looks for renamed files that are not open and have grown
FULL_S = 0.1  # to wait when the journal takes no more
ROTATED_QUIET_S = 300.0  # a renamed file that has not grown for so long is finished
UNLINKED_QUIET_S = 1.0  # a deleted one
LEFT_FILES = 64  # of a source that are kept open although they were renamed
REFRESH_S = 86_400.0  # between commits of the positions of files that are there: the journal drops what is unseen
SAME_TRIES = 3  # positions of which a packed file may be the content: to look costs unpacking it
ENDED = "~"  # behind a stream: the position of what a truncated file held before
LOG = logging.getLogger(__name__)


async def run(intake: Intake, listen: str = "") -> None:
    """Read all files of all sources until cancelled."""
    async with asyncio.TaskGroup() as group:
        for source in intake.sources:
            group.create_task(_Reader(intake, source, load_format(source.format)).run())


class _Reader:
    """The files of one source, each by its identity. Threads only read files; all else happens in the event loop."""

    def __init__(self, intake: Intake, source: Source, form: Format) -> None:
        self._intake = intake
        self._source = source
        self._form = form
        self._patterns = [str(path) for path in source.settings.get("paths") or ()]
        self._follow = bool(source.settings.get("follow", True))
        self._positions = dict(intake.positions(source.id))
        self._skip = source.settings.get("from", "start") == "end" and self._follow and not self._positions
        self._open: dict[str, Following | PackedFile] = {}
        self._left: dict[str, float] = {}  # streams whose path is gone, in that order: since when they have not grown
        self._stalled: dict[str, float] = {}  # packed files that end too early: since when they have not grown
        self._seen: dict[str, FoundFile] = {}
        self._done: dict[str, int] = {}  # whole files that were read: their size
        self._unreadable: set[str] = set()
        self._next_moved = self._next_refresh = 0.0

    async def run(self) -> None:
        """Look for files, read what they have, wait, again."""
        loop = asyncio.get_running_loop()
        next_scan = loop.time()
        try:
            while True:
                if loop.time() >= next_scan:
                    await self._scan(loop.time())
                    next_scan = loop.time() + SCAN_S
                if not await self._read_all(loop.time()):
                    await asyncio.sleep(POLL_S)
        finally:
            for following in self._open.values():
                following.close()

    async def _scan(self, now: float) -> None:
        """Find new files, and those that lost their path."""
        found, errors = await asyncio.to_thread(matched_files, self._patterns)
        for path, error in errors.items():
            self._cannot_read(path, error)
        if now >= self._next_moved:
            self._next_moved = now + MOVED_S
            await self._open_moved(found, now)
        for stream, file in found.items():
            if stream in self._open:
                self._left.pop(stream, None)
                self._open[stream].path = file.path
            elif self._is_due(stream, file):
                await self._begin(file.path, found)
        for stream in self._open.keys() - found.keys():
            self._left.setdefault(stream, now)
        self._remember(found, errors)
        if now >= self._next_refresh:
            self._next_refresh = now + REFRESH_S
            await self._refresh(found)

    def _is_due(self, stream: str, file: FoundFile) -> bool:
        """Whether to open a file: a whole or packed one once it has stopped changing, and again when it has grown."""
        if self._follow and (self._skip or not is_packed(file.path)):
            return True
        return self._seen.get(stream) == file and self._done.get(stream, -1) != file.size

    def _remember(self, found: dict[str, FoundFile], errors: Mapping[str, OSError]) -> None:
        """Keep what is known of files that are there, and only of these."""
        self._seen, self._skip = found, False
        self._done = {stream: size for stream, size in self._done.items() if stream in found}
        if self._unreadable:
            self._unreadable &= errors.keys() | {str(file.path) for file in found.values()}

    async def _refresh(self, found: Collection[str]) -> None:
        """Commit again the positions of all files that are there, also of those that were skipped or taken over."""
        if self._source.settings.get("from", "start") == "end":
            self._positions.setdefault("", {"context": {}})  # says that the very first start is over
        seen = {"", *found, *self._open} & self._positions.keys()
        await self._commit([self._seen_chunk(stream) for stream in sorted(seen)], {})
        self._positions = await asyncio.to_thread(self._intake.positions, self._source.id)

    async def _open_moved(self, found: Collection[str], now: float) -> None:
        """Open renamed files that have more to read: renamed while we were stopped, or written to very late."""
        alive = {*found, *self._open}
        lost = {stream: position for stream, position in self._positions.items() if stream not in alive}
        moved = await asyncio.to_thread(moved_files, lost, self._patterns)
        for stream, path in islice(moved.items(), max(0, LEFT_FILES - len(self._left))):
            try:
                following = await asyncio.to_thread(self._moved, path, lost[stream])
            except OSError as error:
                self._cannot_read(str(path), error)
                continue
            if following is not None:
                self._open[stream] = following
                self._left[stream] = now

    def _moved(self, path: Path, position: dict[str, Any]) -> Following | PackedFile | None:
        """The file at its position, under its old name; None when it is another one."""
        following = self._opened(path)
        if following.resume(position):
            following.path = Path(position["path"])
            return following
        following.close()
        return None

    def _opened(self, path: Path) -> Following | PackedFile:
        return (PackedFile if is_packed(path) else Following)(path, self._form, self._source.options)

    async def _begin(self, path: Path, found: Collection[str]) -> None:
        """Open a file at its last position, at its end, or at its beginning."""
        try:
            following = await asyncio.to_thread(self._opened, path)
            if following.stream in self._open or self._is_read_elsewhere(following):  # renamed since it was found
                following.close()
                return
            taken = await asyncio.to_thread(self._resume, following, {*found, *self._open})
        except OSError as error:
            self._cannot_read(str(path), error)
            return
        self._unreadable.discard(str(path))
        self._open[following.stream] = following
        if isinstance(following, PackedFile):
            self._positions[following.stream] = {**following.position(), "context": following.context}
        elif taken is not None:
            self._positions[following.stream] = self._positions.pop(taken)
        elif following.at:
            self._positions[following.stream] = {**following.position(), "context": following.context}

    def _is_read_elsewhere(self, file: Following | PackedFile) -> bool:
        """Whether a packed file is what an open one was packed into, and that one is not done yet."""
        return isinstance(file, PackedFile) and any(
            (stream in self._left or not other.at_end) and file.begins_like(other.position())
            for stream, other in self._open.items()
            if isinstance(other, Following)
        )

    def _resume(self, following: Following | PackedFile, alive: Collection[str]) -> str | None:
        """Go to where a file was left; the stream it was before, when that was another one.

        A restart or a new mount may give all files another device number.
        """
        position = self._positions.get(following.stream)
        if position is not None and following.resume(position):
            return None
        if position is None and self._skip:
            following.skip_to_end()
            return None
        if isinstance(following, PackedFile):
            before = self._same_content(following, alive)[:SAME_TRIES]
        else:
            before = [stream for stream in self._same_files(following) if stream not in alive]
        return next((stream for stream in before if following.resume(self._positions[stream])), None)

    def _same_content(self, packed: PackedFile, alive: Collection[str]) -> list[str]:
        """Streams that may have been packed into this file: those that are gone first, then what was read furthest."""
        alike = [stream for stream, position in self._positions.items() if packed.begins_like(position)]
        return sorted(alike, key=lambda stream: (stream in alive, -self._positions[stream]["byte"]))

    def _same_files(self, following: Following) -> list[str]:
        """Streams of other devices that may be this file, the likeliest first.

        Two files may begin with the same few bytes: then path and inode must be equal.
        """
        device, _, inode = following.stream.partition(":")
        ranked: list[tuple[bool, bool, int, str]] = []
        for stream, position in self._positions.items():
            other_device, _, other_inode = stream.partition(":")
            path_equal, inode_equal = position.get("path") == str(following.path), other_inode == inode
            known_bytes = position.get("fingerprint_bytes", 0)
            certain = known_bytes >= FINGERPRINT_BYTES or (known_bytes and path_equal and inode_equal)
            if other_device != device and certain:
                ranked.append((path_equal, inode_equal, position["byte"], stream))
        return [stream for *_, stream in sorted(ranked, reverse=True)]

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

    async def _read(self, stream: str, following: Following | PackedFile, now: float) -> bool:
        if following.at_end:
            await self._at_end(stream, following, now)
            return False
        if self._waits(stream, following):
            return False
        for piece in await asyncio.to_thread(following.read):
            await self._append(stream, piece)
        if stream in self._left:
            self._left[stream] = now
        self._stalled.pop(stream, None)
        return True

    def _waits(self, stream: str, following: Following | PackedFile) -> bool:
        """Whether a file that had this path before has more to read."""
        for left in self._left:
            if left == stream:
                return False
            other = self._open[left]
            if other.path == following.path and not other.at_end:
                return True
        return False

    async def _at_end(self, stream: str, following: Following | PackedFile, now: float) -> None:
        """Finish a whole file, or one that nobody writes any more."""
        if isinstance(following, PackedFile):
            await self._packed_end(stream, following, now)
            return
        if not self._follow:
            self._done[stream] = following.at
        elif not self._is_finished(stream, following, now):
            return
        await self._append(stream, await asyncio.to_thread(following.finish, self._follow))
        self._close(stream)

    async def _packed_end(self, stream: str, packed: PackedFile, now: float) -> None:
        """Finish a packed file; one that ends too early only when it has not grown for long."""
        if not packed.complete and now - self._stalled.setdefault(stream, now) < ROTATED_QUIET_S:
            return
        if why := packed.broken or ("" if packed.complete else "ends too early"):
            self._cannot_read(str(packed.path), OSError(EILSEQ, why))
        await self._append(stream, await asyncio.to_thread(packed.finish, bool(why)))
        self._positions[stream] = {**packed.position(), "context": packed.context}
        await self._commit([self._seen_chunk(stream)], {})
        self._done[stream] = packed.done_bytes
        self._close(stream)

    def _is_finished(self, stream: str, following: Following | PackedFile, now: float) -> bool:
        """Whether a file was renamed or deleted and has been quiet, or is the quietest of too many."""
        if stream not in self._left:
            return False
        quiet_s = now - self._left[stream]
        if following.unlinked:
            return quiet_s >= UNLINKED_QUIET_S
        crowded = len(self._left) > LEFT_FILES and stream == min(self._left, key=self._left.__getitem__)
        return crowded or quiet_s >= ROTATED_QUIET_S

    def _close(self, stream: str) -> None:
        self._open.pop(stream).close()
        self._left.pop(stream, None)
        self._stalled.pop(stream, None)

    async def _append(self, stream: str, piece: Piece) -> None:
        """Hand records in, with their counters."""
        chunks = [self._chunk(stream, piece.position, records) for records in piece.records]
        counters = counted(chunks)
        if piece.torn:
            counters[self._source.id, "torn"] = piece.torn
        await self._commit(chunks, counters)
        if chunks:
            self._positions[stream] = {**piece.position, "context": chunks[-1].context}
        if piece.ended and stream in self._positions:
            self._positions[stream + ENDED] = self._positions[stream]
            await self._commit([self._seen_chunk(stream + ENDED)], {})

    def _seen_chunk(self, stream: str) -> Chunk:
        """A chunk without records, that only commits a position."""
        position = dict(self._positions[stream])
        return self._chunk(stream, position, Records([], {}, position.pop("context")))

    def _chunk(self, stream: str, position: dict[str, Any], records: Records) -> Chunk:
        return Chunk(
            source_id=self._source.id,
            stream=stream,
            received=self._intake.now(),
            format=self._source.format,
            records=records.records,
            context=records.context,
            position=position,
            oversize=records.oversize,
        )

    async def _commit(self, chunks: list[Chunk], counters: Mapping[tuple[str, str], int]) -> None:
        """Make chunks durable, waiting for as long as the journal is full."""
        while chunks:
            try:
                await self._intake.append(chunks, None, counters)
                return
            except IntakeFull:
                await asyncio.sleep(FULL_S)
