"""Records by HTTP: ``POST /v1/intake/{source_id}`` with NDJSON or any other format's text, answered once durable.

A source's key comes as ``Authorization: Bearer KEY``; only its SHA-256 is configured. The answer 200
``{"records": n}`` means the records are in the journal; 429 means come again after ``Retry-After``. The same body sent
again because its acknowledgement was not heard (a crash, or it still waits) is acknowledged and dropped. All bodies
together hold at most 32 MiB. Errors are problem+json (RFC 9457). Source settings:
``hosts``, the names under which senders reach this port (addresses and localhost are always allowed).
"""

import asyncio
import contextlib
import hmac
import ipaddress
import socket
from collections.abc import Generator, Mapping
from hashlib import sha256

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collectors.byte_budget import ByteBudget, NoRoom, Share
from collectors.content_encoding import ENCODINGS, NotEncoded, TooLarge, decoded
from collectors.cutting import Cutter, Records
from collectors.format import Format, load_format
from collectors.intake import Intake, IntakeFull, counted
from soc_model.chunk import Chunk
from soc_model.problem import Problem
from soc_model.source import Source

BODY_BYTES = 8 * 1024 * 1024  # of a request, compressed and decompressed alike
IN_FLIGHT_BYTES = 32 * 1024 * 1024  # of all requests that are being read or wait for their commit
DECODED_AT_ONCE = 2  # bodies being decompressed: their size is known only after
PIECE_BYTES = 256 * 1024
READ_S = 60.0  # to send one body
RETRY_AFTER_S = 1
CONNECTIONS = 256
MEDIA_TYPES = ("application/x-ndjson", "application/jsonlines", "application/json", "application/octet-stream")


class Refused(Exception):
    """A request that is not taken: its status and why, ready for the sender."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(status, title, detail)
        self.status = status
        self.title = title
        self.detail = detail

    def response(self) -> Response:
        """The refusal as problem+json."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        if self.status in (429, 503):
            headers["Retry-After"] = str(RETRY_AFTER_S)
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        return JSONResponse(body, self.status, headers, media_type="application/problem+json")


def application(intake: Intake) -> Starlette:
    """The intake as an ASGI application. Raises ``Problem`` when a source names an unknown format."""
    door = _Door(intake)
    return Starlette(routes=[Route("/v1/intake/{source_id}", door.post, methods=["POST"])])


async def run(intake: Intake, listen: str = "") -> None:
    """Take requests on ``listen`` (host:port) until cancelled. Raises ``Problem`` when the port is not to be had."""
    config = uvicorn.Config(
        application(intake),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    with _bound(listen) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process it lives in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _bound(listen: str) -> socket.socket:
    host, _, port = (listen or "127.0.0.1:0").rpartition(":")
    host = host.strip("[]")
    try:
        number = int(port)
        if not 0 <= number <= 65535:
            raise ValueError(f"no port {number}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, number), family=family, backlog=1024)
    except (OSError, ValueError) as error:
        raise Problem(f"listen {listen!r}", f"cannot listen there: {error}") from error


class _Door:
    """Checks a request step by step, cheapest first, and hands its records in."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._sources = {source.id: source for source in intake.sources}
        self._formats: dict[str, Format] = {source.format: load_format(source.format) for source in intake.sources}
        self._hosts = {"localhost"} | {
            str(host).lower() for source in intake.sources for host in source.settings.get("hosts") or ()
        }
        self._budget = ByteBudget(IN_FLIGHT_BYTES)
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    async def post(self, request: Request) -> Response:
        """200 with the number of records once they are durable, or why they are refused."""
        source_id = request.path_params["source_id"]
        try:
            return JSONResponse({"records": await self._take(request, source_id)})
        except Refused as refused:
            if source_id in self._sources:
                self._intake.count(source_id, "refused")
            return refused.response()

    async def _take(self, request: Request, source_id: str) -> int:
        self._check_origin(request.headers)
        source = self._authenticated(source_id, request.headers)
        encoding = _encoding(request.headers)
        try:
            with self._budget.share() as share:
                body = await _body(request, share)
                text = await self._decoded(body, encoding, share)
                chunks = await asyncio.to_thread(self._cut, source, text)
                return await self._append(source, chunks, sha256(source.id.encode() + b"\0" + body).digest())
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
            raise _too_large() from None
        except NotEncoded as error:
            raise Refused(400, "Bad Content-Encoding", str(error)) from None

    def _check_origin(self, headers: Mapping[str, str]) -> None:
        """Refuse browsers: what carries an Origin, or a host name that is not ours (DNS rebinding)."""
        if "origin" in headers:
            raise Refused(403, "Forbidden", "requests from web pages are not taken")
        host = _host_of(headers.get("host", ""))
        if host not in self._hosts and not _is_address(host):
            raise Refused(400, "Bad Host", "this host name is not allowed here")

    def _authenticated(self, source_id: str, headers: Mapping[str, str]) -> Source:
        """The source, when the key is its key."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Refused(401, "Unauthorized", "send Authorization: Bearer KEY")
        source = self._sources.get(source_id)
        given = sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()
        held = source.key_sha256.lower() if source else ""
        right = hmac.compare_digest(given.encode(), held.encode())
        if source is None:
            raise Refused(404, "Not Found", "no such source")
        if not right:
            raise Refused(401, "Unauthorized", "this key is not the source's")
        return source

    def _cut(self, source: Source, text: bytes) -> list[Chunk]:
        """The body's records; a body is a stream of its own, so an unfinished last line is a record."""
        cutter = Cutter(self._formats[source.format], dict(source.options))
        received = self._intake.now()
        pieces = (
            cutter.feed(text[at : at + PIECE_BYTES], final=at + PIECE_BYTES >= len(text))
            for at in range(0, len(text) or 1, PIECE_BYTES)
        )
        return [_chunk(source, received, records) for found in pieces for records in found]

    async def _append(self, source: Source, chunks: list[Chunk], digest: bytes) -> int:
        if not chunks:
            return 0
        counters = counted(chunks)
        try:
            await self._intake.append(chunks, digest, counters)
        except IntakeFull as full:
            raise Refused(429, "Too Many Requests", str(full) or "the journal is full, send again later") from None
        return counters[source.id, "records"]


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


def _too_large() -> Refused:
    return Refused(413, "Content Too Large", f"at most {BODY_BYTES} bytes, also when decompressed")


def _encoding(headers: Mapping[str, str]) -> str:
    """The content encoding; refuses encodings and media types that are not taken."""
    media = headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES and not media.startswith("text/"):
        raise Refused(415, "Unsupported Media Type", f"text/* or one of {', '.join(MEDIA_TYPES)}")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise Refused(415, "Unsupported Content-Encoding", f"one of {', '.join(ENCODINGS)}")
    return encoding


async def _body(request: Request, share: Share) -> bytes:
    """The body, refused as soon as it is known to be too large or too slow, or that there is no room for it."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal():
        raise Refused(400, "Bad Content-Length")
    announced = int(length[:20])
    if announced > BODY_BYTES:
        raise _too_large()
    share.grow_to(announced)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_S):
            async for piece in request.stream():
                size += len(piece)
                if size > BODY_BYTES:
                    raise _too_large()
                share.grow_to(size)
                pieces.append(piece)
    except TimeoutError:
        raise Refused(408, "Request Timeout", f"a body must arrive within {READ_S:.0f} s") from None
    except ClientDisconnect:
        raise Refused(400, "Bad Request", "the body ends too early") from None
    return b"".join(pieces)


def _host_of(header: str) -> str:
    """The host of a Host header, without its port."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
