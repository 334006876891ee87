"""What a request to the intake must be, and its body: checked cheapest first, bounded in size and time.

Comes in: a Starlette request. Goes out: the body's bytes, or ``Refused`` with the status that tells the sender why.
"""

import asyncio
import ipaddress
from collections.abc import Collection, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from collectors.byte_budget import Share
from collectors.content_encoding import ENCODINGS

BODY_BYTES = 8 * 1024 * 1024  # of a request, compressed and decompressed alike
READ_S = 60.0  # to send one body
RETRY_AFTER_S = 1
MEDIA_TYPES = (
    "application/x-ndjson",
    "application/jsonlines",
    "application/json",
    "application/octet-stream",
    "application/vnd.elasticsearch+x-ndjson",
    "application/vnd.elasticsearch+json",
)
#: What Elasticsearch calls such an error; clients tell by the status whether to try again.
ELASTIC_TYPES = {
    401: "security_exception",
    403: "security_exception",
    404: "resource_not_found_exception",
    408: "timeout_exception",
    413: "content_too_long_exception",
    429: "es_rejected_execution_exception",
    503: "unavailable_exception",
}


class Refused(Exception):
    """A request that is not taken: its status and why, ready for the sender."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(status, title, detail)
        self.status = status
        self.title = title
        self.detail = detail

    def response(self) -> Response:
        """The refusal as problem+json (RFC 9457)."""
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        return JSONResponse(body, self.status, self._headers("Bearer"), media_type="application/problem+json")

    def elastic_response(self) -> Response:
        """The refusal as Elasticsearch words it."""
        error = {
            "type": ELASTIC_TYPES.get(self.status, "illegal_argument_exception"),
            "reason": self.detail or self.title,
        }
        body = {"error": {"root_cause": [error], **error}, "status": self.status}
        headers = {**self._headers('Basic realm="fengsui"'), "X-Elastic-Product": "Elasticsearch"}
        return JSONResponse(body, self.status, headers)

    def _headers(self, challenge: str) -> dict[str, str]:
        headers = {"WWW-Authenticate": challenge} if self.status == 401 else {}
        if self.status in (429, 503):
            headers["Retry-After"] = str(RETRY_AFTER_S)
        return headers


class Gone(Refused):
    """The sender has gone before it was answered; nobody hears this."""

    def __init__(self) -> None:
        super().__init__(499, "Client Closed Request")


def too_large() -> Refused:
    """The refusal of a body over ``BODY_BYTES``."""
    return Refused(413, "Content Too Large", f"at most {BODY_BYTES} bytes, also when decompressed")


def check_origin(headers: Mapping[str, str], hosts: Collection[str]) -> None:
    """Refuse browsers: what carries an Origin, or a host name that is not ours (DNS rebinding)."""
    if "origin" in headers:
        raise Refused(403, "Forbidden", "requests from web pages are not taken")
    host = _host_of(headers.get("host", ""))
    if host not in hosts and not _is_address(host):
        raise Refused(400, "Bad Host", "this host name is not allowed here")


def encoding_of(headers: Mapping[str, str]) -> str:
    """The content encoding; refuses encodings and media types that are not taken."""
    media = headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES and not media.startswith("text/"):
        raise Refused(415, "Unsupported Media Type", f"text/* or one of {', '.join(MEDIA_TYPES)}")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise Refused(415, "Unsupported Content-Encoding", f"one of {', '.join(ENCODINGS)}")
    return encoding


async def read_body(request: Request, share: Share) -> bytes:
    """The body, refused as soon as it is known to be too large or too slow, or that there is no room for it."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal():
        raise Refused(400, "Bad Content-Length")
    announced = int(length[:20])
    if announced > BODY_BYTES:
        raise too_large()
    share.grow_to(announced)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_S):
            async for piece in request.stream():
                size += len(piece)
                if size > BODY_BYTES:
                    raise too_large()
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
