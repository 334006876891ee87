"""The systemd journal of this machine, by ``journalctl --output=json``; the cursor is the position.

Settings: ``from`` (``start`` or ``end``: where to begin at the very first start; default start). The child is started
again when it ends, after 1 s, and ever later up to 60 s while it gives nothing; each such streak is counted as
``unreadable``. Nothing is read from it while records wait for the disk. An entry over 1 MiB whose cursor is not in the
part that is kept is read again when a restart comes just after it.
"""

import asyncio
import logging
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from collectors.cutting import Cutter, Records
from collectors.format import load_format
from collectors.intake import Intake, append_waiting
from soc_model.chunk import Chunk
from soc_model.source import Source

STREAM = "journal"
PIECE_BYTES = 256 * 1024
RETRY_S = (1.0, 60.0)  # at first, at most
STOP_S = 2.0
TOLD_BYTES = 4096  # of what the child says is wrong
LOG = logging.getLogger(__name__)
#: journald refuses names that begin with an underscore from its clients, and quotes in their values are escaped.
_CURSOR = re.compile(rb'"__CURSOR"\s*:\s*"([^"\\\s]{1,1024})"')


async def run(intake: Intake, listen: str = "") -> None:
    """Follow the journal for every source until cancelled."""
    async with asyncio.TaskGroup() as group:
        for source in intake.sources:
            group.create_task(_Journal(intake, source).run())


class _Journal:
    """The journal as one source reads it."""

    def __init__(self, intake: Intake, source: Source) -> None:
        self._intake = intake
        self._source = source
        self._form = load_format(source.format)
        self._cursor = str(intake.positions(source.id).get(STREAM, {}).get("cursor", ""))

    async def run(self) -> None:
        wait_s = RETRY_S[0]
        while True:
            found, why = await self._follow()
            if found:
                wait_s = RETRY_S[0]
            elif wait_s == RETRY_S[0]:
                self._intake.count(self._source.id, "unreadable")
                LOG.warning("source %s: journalctl ended: %s; starting it again", self._source.id, why)
            await asyncio.sleep(wait_s)
            wait_s = min(RETRY_S[1], wait_s * 2)

    async def _follow(self) -> tuple[bool, str]:
        """Read until the child ends; whether it gave any record, and what it said at last.

        First what is there already, without --follow: since systemd 251 that shows this boot only, and older entries
        behind the cursor would be skipped.
        """
        if not self._cursor and self._source.settings.get("from", "start") == "end":
            await self._begin_at_end()
        found, status, why = await self._through()
        if status == 0:
            more, _, why = await self._through("--follow", "--no-tail")
            found = found or more
        return found, why

    async def _through(self, *options: str) -> tuple[bool, int, str]:
        """Read all that one child gives: whether it gave any record, its exit status and its last words."""
        where = [f"--after-cursor={self._cursor}"] if self._cursor else []
        async with _journalctl(*options, *where) as child:
            if child is None:
                return False, 1, "no journalctl on the PATH"
            telling = asyncio.create_task(_last_words(child))
            try:
                return await self._read(child), await child.wait(), await telling
            finally:
                telling.cancel()
                await asyncio.wait([telling])

    async def _begin_at_end(self) -> None:
        """Make the last record's cursor the position, so that what comes while we are stopped is not missed."""
        async with _journalctl("--lines=1") as child:
            if child is not None and child.stdout is not None:
                self._remember(await child.stdout.read())
        await self._append([Records([], {}, dict(self._source.options))] if self._cursor else [])

    async def _read(self, child: Process) -> bool:
        """Hand in what the child gives; a line that it did not end is read again after the cursor."""
        cutter, found = Cutter(self._form, dict(self._source.options)), False
        while child.stdout is not None and (data := await child.stdout.read(PIECE_BYTES)):
            for records in cutter.feed(data):
                found = True
                self._remember(*reversed(records.records))
                await self._append([records])
        return found

    def _remember(self, *latest_first: bytes) -> None:
        """Keep the cursor of the latest record that has one."""
        found = next((cursor for record in latest_first if (cursor := _CURSOR.search(record))), None)
        self._cursor = found[1].decode("utf-8", "replace") if found else self._cursor

    async def _append(self, pieces: list[Records]) -> None:
        await append_waiting(self._intake, [self._chunk(records) for records in pieces])

    def _chunk(self, records: Records) -> Chunk:
        position: dict[str, Any] | None = {"cursor": self._cursor} if self._cursor else None
        return Chunk(
            source_id=self._source.id,
            stream=STREAM,
            received=self._intake.now(),
            format=self._source.format,
            records=records.records,
            context=records.context,
            position=position,
            oversize=records.oversize,
        )


@asynccontextmanager
async def _journalctl(*arguments: str) -> AsyncIterator[Process | None]:
    """A running journalctl that is ended at the end of the block; ``None`` where there is none.

    ``--all``, because without it fields over 4096 bytes are null (journalctl(1), --output=json).
    """
    program = shutil.which("journalctl")
    if program is None:
        yield None
        return
    options = ("--output=json", "--all", "--quiet", "--no-pager")
    child = await asyncio.create_subprocess_exec(
        program, *options, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, limit=PIECE_BYTES // 2
    )
    try:
        yield child
    finally:
        await _end(child)


async def _end(child: Process) -> None:
    """Stop the child and let go of its pipes; one that closed its output ends by itself."""
    try:
        if child.returncode is None and not (child.stdout and child.stdout.at_eof()):
            child.terminate()
        async with asyncio.timeout(STOP_S):
            await _drained(child)
    except (TimeoutError, ProcessLookupError):
        with suppress(ProcessLookupError):
            child.kill()
        await _drained(child)


async def _drained(child: Process) -> None:
    """Wait for the child's end; it may stand still while a pipe is full."""
    for pipe in (child.stdout, child.stderr):
        while pipe is not None and await pipe.read(PIECE_BYTES):
            pass
    await child.wait()


async def _last_words(child: Process) -> str:
    """The last line of what the child said is wrong."""
    told = b""
    while child.stderr is not None and (data := await child.stderr.read(TOLD_BYTES)):
        told = (told + data)[-TOLD_BYTES:]
    lines = told.decode("utf-8", "backslashreplace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
