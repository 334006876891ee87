"""The one door of the HTTP intake, whatever protocol stands in front of it: admits a source, reads and undoes the body,
and hands records in.

All bodies together hold a budget of bytes. What is acknowledged is durable: ``append`` returns when it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from starlette.requests import Request

from collectors.answered import Answered
from collectors.byte_budget import ByteBudget, NoRoom, Share
from collectors.content_encoding import NotEncoded, TooLarge, decoded
from collectors.cutting import Cutter, Records
from collectors.format import Format, load_format
from collectors.http_keys import Keys, credentials_of
from collectors.http_request import BODY_BYTES, Gone, Refused, check_origin, encoding_of, read_body, too_large
from collectors.intake import Intake, IntakeFull, counted
from soc_model.chunk import Chunk
from soc_model.source import Source

DECODED_AT_ONCE = 2  # bodies being decompressed: their size is known only after
PIECE_BYTES = 256 * 1024
Answer = TypeVar("Answer")


class HttpDoor:
    """Checks a request step by step, cheapest first. Raises ``Problem`` when a source names an unknown format."""

    def __init__(self, intake: Intake, in_flight_bytes: int) -> None:
        self.intake = intake
        self.keys = Keys(intake.sources)
        self.answered = Answered()
        self._formats: dict[str, Format] = {source.format: load_format(source.format) for source in intake.sources}
        self._hosts = {"localhost"} | {
            str(host).lower() for source in intake.sources for host in source.settings.get("hosts") or ()
        }
        self._budget = ByteBudget(in_flight_bytes)
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    def admit(self, headers: Mapping[str, str]) -> Source:
        """The source that the request's key proves."""
        check_origin(headers, self._hosts)
        said = credentials_of(headers.get("authorization", ""))
        if said is None:
            raise Refused(401, "Unauthorized", "send the source's key: Bearer KEY, Basic id:KEY or ApiKey of id:KEY")
        source = self.keys.source(said)
        if source is None:
            raise Refused(401, "Unauthorized", "this is no source's key, or a bare key that several sources have")
        return source

    def named(self, headers: Mapping[str, str]) -> str | None:
        """The id of the source that a request says or proves to be from, to count its refusal."""
        said = credentials_of(headers.get("authorization", ""))
        if said is None:
            return None
        source = self.keys.source(said)
        return source.id if source else said.source_id if said.source_id in self.keys else None

    def admit_as(self, source_id: str, headers: Mapping[str, str]) -> Source:
        """The source of that id, when the request's key is its key."""
        check_origin(headers, self._hosts)
        said = credentials_of(headers.get("authorization", ""))
        if said is None:
            raise Refused(401, "Unauthorized", "send Authorization: Bearer KEY")
        right = self.keys.is_key_of(source_id, said.key) and said.source_id in ("", source_id)
        if source_id not in self.keys:
            raise Refused(404, "Not Found", "no such source")
        if not right:
            raise Refused(401, "Unauthorized", "this key is not the source's")
        return next(source for source in self.intake.sources if source.id == source_id)

    async def take(self, request: Request, put: Callable[[bytes, bytes], Awaitable[Answer]]) -> Answer:
        """What ``put`` gives for the body as it came and the body decompressed, while both count in the budget."""
        encoding = encoding_of(request.headers)
        try:
            with self._budget.share() as share:
                body = await read_body(request, share)
                return await put(body, await self._decoded(body, encoding, share))
        except NoRoom:
            raise Refused(429, "Too Many Requests", "too many bytes are on their way, send again later") from None

    async def _decoded(self, body: bytes, encoding: str, share: Share) -> bytes:
        if encoding == "identity":
            return body
        try:
            async with self._decoding:
                text = await asyncio.to_thread(decoded, body, encoding, BODY_BYTES)
                share.grow_to(len(body) + len(text))
                return text
        except TooLarge:
            raise too_large() from None
        except NotEncoded as error:
            raise Refused(400, "Bad Content-Encoding", str(error)) from None

    def cut(self, source: Source, text: bytes) -> list[Chunk]:
        """The text's records; it is a stream of its own, so an unfinished last line is a record. Blocks."""
        cutter = Cutter(self._formats[source.format], dict(source.options))
        received = self.intake.now()
        pieces = (
            cutter.feed(text[at : at + PIECE_BYTES], final=at + PIECE_BYTES >= len(text))
            for at in range(0, len(text) or 1, PIECE_BYTES)
        )
        return [_chunk(source, received, records) for found in pieces for records in found]

    def takes_json_lines(self, source: Source) -> bool:
        """Whether the source's format cuts its records at line ends, so that each JSON line stays a record."""
        two = self._formats[source.format].cut(b"{}\n{}\n", dict(source.options), True)
        return two.records == [b"{}", b"{}"]

    async def append(self, request: Request, chunks: list[Chunk], digest: bytes) -> int:
        """How many records there are, once they are durable, or were already because the request came again.

        Nobody waits any more for a sender that has gone: so its request is known as one whose answer was not heard.
        """
        if not chunks:
            return 0
        counters = counted(chunks)
        appending = asyncio.ensure_future(self.intake.append(chunks, digest, counters))
        going = asyncio.create_task(_gone(request))
        try:
            await asyncio.wait({appending, going}, return_when=asyncio.FIRST_COMPLETED)
            if not appending.done():
                raise Gone
            await appending
        except IntakeFull as full:
            raise Refused(429, "Too Many Requests", str(full) or "the journal is full, send again later") from None
        finally:
            appending.cancel()
            going.cancel()
            await asyncio.gather(appending, going, return_exceptions=True)
        return sum(len(chunk.records) for chunk in chunks)


async def _gone(request: Request) -> None:
    """Return when the sender has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _chunk(source: Source, received: int, records: Records) -> Chunk:
    return Chunk(
        source_id=source.id,
        stream="http",
        received=received,
        format=source.format,
        records=records.records,
        context=records.context,
        oversize=records.oversize,
    )
