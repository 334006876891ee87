"""What log shippers ask of an Elasticsearch before and while they send, on the intake's port, at ``/`` and ``/es/``.

Filebeat, Winlogbeat, Logstash, Fluent Bit, Vector and rsyslog send documents by ``_bulk``; before that they ask for
version, license or health. That is all there is: no index, template, policy or search, so a shipper must be told not to
set them up (docs/sources.md). The key decides the source, the index does not. The answer to ``_bulk`` comes once its
documents are durable; the same body sent again, because the answer was not heard, is answered and dropped. A body whose
documents all say their time is recognised also when it was answered: nobody can tell whether an answer arrived.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from collectors.elastic_bulk import ITEMS, Bulk, BulkProblem, TooManyItems, bulk_answer, read_bulk
from collectors.http_door import HttpDoor
from collectors.http_request import Gone, Refused
from soc_model.source import Source

#: The protocol spoken. Shippers refuse a server that is older than themselves; 8.19 is the last of its line.
VERSION = "8.19.0"
PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
PREFIXES = ("", "/es")
ABOUT: dict[str, Any] = {
    "name": "fengsui",
    "cluster_name": "fengsui",
    "cluster_uuid": "fengsui-intake",
    "version": {
        "number": VERSION,
        "build_flavor": "default",
        "build_type": "docker",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    },
    "tagline": "You Know, for Search",
}
LICENSE = {"license": {"uid": "fengsui-intake", "type": "basic", "mode": "basic", "status": "active"}}
HEALTH = {
    "cluster_name": "fengsui",
    "status": "green",
    "timed_out": False,
    "number_of_nodes": 1,
    "number_of_data_nodes": 1,
}
Answer = Callable[[Request, Source], Awaitable[Response]]


def elastic_routes(door: HttpDoor) -> list[BaseRoute]:
    """The routes, each behind the same door as the intake's own."""
    said = {"/": ABOUT, "/_license": LICENSE, "/_xpack": LICENSE, "/_cluster/health": HEALTH}
    routes: list[BaseRoute] = []
    for prefix in PREFIXES:
        for path, body in said.items():
            routes.append(Route(prefix + path, _guarded(door, partial(_say, body)), methods=["GET"]))
        routes.append(Route(f"{prefix}/_cat/health", _guarded(door, _say_line), methods=["GET"]))
        routes.append(Route(f"{prefix}/_ingest/pipeline/{{name}}", _guarded(door, _pipeline), methods=["GET"]))
        take = _guarded(door, partial(_take, door))
        routes.append(Route(f"{prefix}/_bulk", take, methods=["POST", "PUT"]))
        routes.append(Route(f"{prefix}/{{index}}/_bulk", take, methods=["POST", "PUT"]))
    return routes


def _guarded(door: HttpDoor, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint for requests with a source's key; refusals in Elasticsearch's words."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request, door.admit(request.headers))
        except Gone as gone:
            return gone.elastic_response()
        except Refused as refused:
            if (named := door.named(request.headers)) is not None:
                door.intake.count(named, "refused")
            return refused.elastic_response()

    return endpoint


async def _say(body: dict[str, Any], request: Request, source: Source) -> Response:
    return JSONResponse(body, headers=PRODUCT)


async def _say_line(request: Request, source: Source) -> Response:
    return Response("fengsui green\n", headers=PRODUCT, media_type="text/plain")


async def _pipeline(request: Request, source: Source) -> Response:
    """Every pipeline is there, so that Winlogbeat uploads none; none does anything."""
    name = request.path_params["name"]
    return JSONResponse({name: {"description": "events are kept as they came", "processors": []}}, headers=PRODUCT)


async def _take(door: HttpDoor, request: Request, source: Source) -> Response:
    if not door.takes_json_lines(source):
        raise Refused(
            400, "Bad Request", f"source {source.id!r} is of format {source.format!r}, which is not JSON lines"
        )
    began = time.monotonic()
    bulk = await door.take(request, partial(_put, door, source, request))
    answer = bulk_answer(bulk, round((time.monotonic() - began) * 1000))
    return JSONResponse(answer, headers=PRODUCT)


async def _put(door: HttpDoor, source: Source, request: Request, body: bytes, text: bytes) -> Bulk:
    """The request's actions, once its documents are durable."""
    index = request.path_params.get("index", "")
    try:
        bulk = await asyncio.to_thread(read_bulk, text, index)
    except BulkProblem as problem:
        raise Refused(400, "Malformed bulk request", f"{problem}; nothing of this request was kept") from None
    except TooManyItems:
        raise Refused(413, "Content Too Large", f"at most {ITEMS} items in one request") from None
    digest = _digest(source, index, text)
    if door.answered.holds(digest, time.monotonic()):
        door.intake.count(source.id, "redelivered", len(bulk.documents))
        return bulk
    chunks = await asyncio.to_thread(door.cut, source, b"\n".join(bulk.documents))
    await door.append(request, chunks, digest)
    if bulk.unmistakable:
        door.answered.add(digest, time.monotonic())
    if refused := sum(bool(item.why) for item in bulk.items):
        door.intake.count(source.id, "refused", refused)
    return bulk


def _digest(source: Source, index: str, text: bytes) -> bytes:
    """What a request is recognised by when it comes again, also compressed otherwise; each source has its own."""
    parts = (b"_bulk", source.id.encode(), index.encode(), text)
    return sha256(b"".join(sha256(part).digest() for part in parts)).digest()
