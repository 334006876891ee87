"""Syslog over TCP (RFC 6587): bounded connections; nothing is read from one while its records wait for the disk."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Sequence

from collectors.cutting import Records
from collectors.format import load_format
from collectors.intake import Intake, append_waiting
from collectors.listening import bound_socket
from collectors.senders import Senders
from collectors.syslog_framing import SyslogStream
from soc_model.chunk import Chunk
from soc_model.source import Source

CONNECTIONS = 256
PIECE_BYTES = 256 * 1024  # read at once
BUFFER_BYTES = PIECE_BYTES // 2  # of a connection: asyncio stops reading at twice as much
HELD_BYTES = 32 * 1024 * 1024  # of records without an end, all connections together
SMALL_BYTES = 64 * 1024
FLUSH_S = 2.0  # a record without an end waits so long for more
IDLE_S = 3600.0  # long: a sender of plain syslog loses what it writes into a connection that was closed
STOP_S = 5.0
KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3))  # peers that are gone


class TcpDoor:
    """One TCP port and the sources that share it."""

    def __init__(self, intake: Intake, listen: str, sources: Sequence[Source]) -> None:
        self.listen = f"tcp {listen}"
        self._at = listen
        self._intake = intake
        self._senders = Senders(sources)
        self._formats = {source.id: load_format(source.format) for source in sources}
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._streams: set[SyslogStream] = set()

    async def run(self) -> None:
        """Take connections until cancelled; what has been read then is still handed in. Raises OSError."""
        listening = bound_socket(self._at, socket.SOCK_STREAM)
        server = await asyncio.start_server(self._accept, sock=listening, limit=BUFFER_BYTES, backlog=128)
        try:
            await server.serve_forever()
        finally:
            server.close()
            await self._end()

    async def _end(self) -> None:
        """Close all connections: their readers get what was received, and then the end."""
        for writer in self._connections.values():
            writer.close()
        if self._connections:
            _, late = await asyncio.wait(list(self._connections), timeout=STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin with a connection, or refuse a stranger's and one too many."""
        sender = writer.get_extra_info("peername")
        source = self._senders.source_of(sender[0]) if sender else None
        if source is None or len(self._connections) >= CONNECTIONS:
            self._intake.count((source or self._senders.first).id, "refused")
            writer.transport.abort()
            return
        _keep_alive(writer.get_extra_info("socket"))
        task = asyncio.create_task(self._serve(reader, writer, source, f"tcp {sender[0]} {sender[1]}"))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: Source, name: str
    ) -> None:
        stream = SyslogStream(self._formats[source.id], source.options)
        self._streams.add(stream)
        try:
            while True:
                data = await _read(reader, FLUSH_S if stream.unfinished else IDLE_S)
                if not data and (data is not None or not stream.unfinished):
                    break
                await self._append(source, name, stream, self._fed(stream, data) if data else stream.flush())
            await self._append(source, name, stream, stream.flush(closing=True))
        finally:
            self._streams.remove(stream)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _fed(self, stream: SyslogStream, data: bytes) -> list[Records]:
        """The records that ``data`` completes; when too much waits for its end, what is there is a record too."""
        found = stream.feed(data)
        if stream.held_bytes > SMALL_BYTES and sum(each.held_bytes for each in self._streams) > HELD_BYTES:
            found += stream.flush()
        return found

    async def _append(self, source: Source, name: str, stream: SyslogStream, found: list[Records]) -> None:
        torn, stream.torn = stream.torn, 0
        counters = Counter({(source.id, "torn"): torn}) if torn else Counter[tuple[str, str]]()
        await append_waiting(self._intake, [self._chunk(source, name, records) for records in found], counters)

    def _chunk(self, source: Source, name: str, records: Records) -> Chunk:
        return Chunk(
            source_id=source.id,
            stream=name,
            received=self._intake.now(),
            format=source.format,
            records=records.records,
            context=records.context,
            oversize=records.oversize,
        )


async def _read(reader: asyncio.StreamReader, within_s: float) -> bytes | None:
    """What has come; ``b""`` at the end of the connection, ``None`` when nothing came for so long."""
    try:
        async with asyncio.timeout(within_s):
            return await reader.read(PIECE_BYTES)
    except TimeoutError:
        return None
    except OSError:
        return b""


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
