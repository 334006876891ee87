"""Syslog over UDP (RFC 5426): one datagram is one record. What the kernel dropped is counted where it tells."""

import asyncio
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from collectors.format import load_format
from collectors.intake import Intake, append_waiting
from collectors.listening import bound_socket
from collectors.senders import Senders
from soc_model.chunk import Chunk
from soc_model.source import Source

BUFFER_BYTES = 16 * 1024 * 1024  # asked of the kernel: what may come in while a commit is on its way
DATAGRAM_BYTES = 65535
PIECE_BYTES = 256 * 1024  # handed in at once
PIECE_DATAGRAMS = 4096
LOOK_S = 1.0  # between looks at what the kernel dropped
STOP_S = 2.0
_SO_RCVBUFFORCE = 33  # <asm-generic/socket.h>; beyond net.core.rmem_max, for whoever may
_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))


class UdpDoor:
    """One UDP port and the sources that share it."""

    def __init__(self, intake: Intake, listen: str, sources: Sequence[Source]) -> None:
        self.listen = f"udp {listen}"
        self._at = listen
        self._intake = intake
        self._senders = Senders(sources)
        formats = {source.id: load_format(source.format) for source in sources}
        self._contexts = {
            source.id: formats[source.id].cut(b"", dict(source.options), True).context for source in sources
        }
        self._dropped = 0
        self._heard: Counter[str] = Counter()  # datagrams by source since the last look at drops

    async def run(self) -> None:
        """Receive until cancelled; what the kernel holds then is still taken. Raises OSError when it cannot listen."""
        with bound_socket(self._at, socket.SOCK_DGRAM) as door:
            enlarge(door)
            self._dropped = 0
            try:
                await self._receive(door)
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_S):
                        while await self._take(door):
                            pass
                        await self._count_dropped(door)

    async def _receive(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        look = loop.time() + LOOK_S
        while True:
            await _readable(door, LOOK_S)
            await self._take(door)
            if loop.time() >= look:
                await self._count_dropped(door)
                look = loop.time() + LOOK_S

    async def _take(self, door: socket.socket) -> bool:
        """Hand in what the kernel holds, at most a piece; whether there was anything."""
        records, refused, any_there = self._datagrams(door)
        if refused:
            self._intake.count(self._senders.first.id, "refused", refused)
        await append_waiting(self._intake, [self._chunk(source, records[source.id]) for source in self._of(records)])
        return any_there

    def _datagrams(self, door: socket.socket) -> tuple[dict[str, list[bytes]], int, bool]:
        """By source the records of the datagrams that wait, how many were nobody's, and whether there were any."""
        records: dict[str, list[bytes]] = defaultdict(list)
        size = refused = n = 0
        while size < PIECE_BYTES and n < PIECE_DATAGRAMS:
            try:
                data, sender = door.recvfrom(DATAGRAM_BYTES)
            except BlockingIOError:
                break
            n += 1
            source = self._senders.source_of(sender[0])
            if source is None:
                refused += 1
            elif record := data.rstrip(b"\r\n\0"):
                size += len(record)
                records[source.id].append(record)
                self._heard[source.id] += 1
        return records, refused, n > 0

    def _of(self, records: dict[str, list[bytes]]) -> list[Source]:
        return [source for source in self._intake.sources if source.id in records]

    def _chunk(self, source: Source, records: list[bytes]) -> Chunk:
        return Chunk(
            source_id=source.id,
            stream="udp",
            received=self._intake.now(),
            format=source.format,
            records=records,
            context=self._contexts[source.id],
        )

    async def _count_dropped(self, door: socket.socket) -> None:
        """Count what the kernel dropped since the last look, with the source that sent most: it does not say whose."""
        dropped = await asyncio.to_thread(dropped_by_kernel, os.fstat(door.fileno()).st_ino)
        most = max(self._heard, key=self._heard.__getitem__, default=self._senders.first.id)
        self._heard.clear()
        if dropped > self._dropped:
            self._intake.count(most, "dropped", dropped - self._dropped)
            self._dropped = dropped


def _context(source: Source) -> dict[str, Any]:
    """What decodes a datagram: the context of a stream that has just begun."""
    return load_format(source.format).cut(b"", dict(source.options), True).context


def enlarge(door: socket.socket) -> None:
    """Give a socket the largest receive buffer that is allowed."""
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    with suppress(OSError):  # only with CAP_NET_ADMIN
        door.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES)


def dropped_by_kernel(inode: int, tables: Sequence[Path] = _TABLES) -> int:
    """Datagrams that the kernel dropped at the socket of that inode; 0 where it does not tell.

    Source: proc(5), /proc/net/udp: the tenth column is the inode, the last one the drops.
    """
    for table in tables:
        with suppress(OSError, ValueError):
            for line in table.read_text("ascii").splitlines()[1:]:
                columns = line.split()
                if len(columns) > 12 and columns[9] == str(inode):
                    return int(columns[12])
    return 0


async def _readable(door: socket.socket, within_s: float) -> None:
    """Return when there is something to read, or after a while."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(door, ready.set)
    try:
        async with asyncio.timeout(within_s):
            await ready.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(door)
