"""Records by HTTP: ``POST /v1/intake/{source_id}`` with NDJSON or any other format's text, answered once durable; and
Elasticsearch's ``_bulk`` for log shippers (``collectors.elastic_server``).

A source's key comes as ``Authorization: Bearer KEY`` (or Basic, or ApiKey: ``collectors.http_keys``); only its SHA-256
is configured. The answer 200 ``{"records": n}`` means the records are in the journal; 429 means come again after
``Retry-After``. The same body sent again because its acknowledgement was not heard (a crash, or it still waits) is
acknowledged and dropped. All bodies together hold at most 32 MiB. Errors are problem+json (RFC 9457). Source settings:
``hosts``, the names under which senders reach this port (addresses and localhost are always allowed).
"""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from functools import partial
from hashlib import sha256

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collectors.elastic_server import elastic_routes
from collectors.http_door import HttpDoor
from collectors.http_request import Gone, Refused
from collectors.intake import Intake
from soc_model.problem import Problem
from soc_model.source import Source

IN_FLIGHT_BYTES = 32 * 1024 * 1024  # of all requests that are being read or wait for their commit
CONNECTIONS = 256


def application(intake: Intake) -> Starlette:
    """The intake as an ASGI application. Raises ``Problem`` when a source names an unknown format."""
    door = HttpDoor(intake, IN_FLIGHT_BYTES)
    post = Route("/v1/intake/{source_id}", partial(_post, door), methods=["POST"])
    return Starlette(routes=[post, *elastic_routes(door)])


async def _post(door: HttpDoor, request: Request) -> Response:
    """200 with the number of records once they are durable, or why they are refused."""
    source_id = request.path_params["source_id"]
    try:
        source = door.admit_as(source_id, request.headers)
        return JSONResponse({"records": await door.take(request, partial(_put, door, source, request))})
    except Gone as gone:
        return gone.response()
    except Refused as refused:
        if source_id in door.keys:
            door.intake.count(source_id, "refused")
        return refused.response()


async def _put(door: HttpDoor, source: Source, request: Request, body: bytes, text: bytes) -> int:
    chunks = await asyncio.to_thread(door.cut, source, text)
    return await door.append(request, chunks, sha256(source.id.encode() + b"\0" + body).digest())


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
