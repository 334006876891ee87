"""The one way out of the center: performs ``Http`` values of the stages, under caps, and tells of every call.

Comes in: a request as a value. Goes out: the answer, or a Problem. The one thing to know: what is denied is denied
before anything is sent: the name is resolved once, its addresses are judged, and the connection goes to one of them.
"""

import http.client
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from soc_center.outbound_address import Judge
from soc_center.outbound_line import Deadline, PinnedConnection, Resolver, Target, judged, resolve
from soc_center.outbound_proxy import Proxy
from soc_model.outbound import Http, HttpAnswer, OutboundFailed, OutboundRefused

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "accept-encoding"})
AGENT = "fengsui"
BODY_BYTES = 8 << 20  # of a request
MOST_BYTES = 256 << 20  # of an answer, whatever the request allows
MOST_S = 600.0
CALLS = 60  # a minute and host
MINUTE_S = 60.0
READ_BYTES = 1 << 16


class Call(NamedTuple):
    """One call as it is told of: ``status`` 0 and a ``problem`` where it was refused or failed."""

    purpose: str
    method: str
    host: str
    port: int
    address: str
    status: int
    sent_bytes: int
    bytes: int
    problem: str


class Outbound:
    """The driver. ``judge`` says which addresses it may connect to; ``tell`` hears of every call, made or refused."""

    def __init__(
        self,
        judge: Judge,
        tell: Callable[[Call], None],
        *,
        proxy: Proxy | None = None,
        trust: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge, self._tell, self._proxy, self._resolver = judge, tell, proxy, resolver
        self._trust = trust or ssl.create_default_context()
        self._monotonic = monotonic
        self._made: dict[str, deque[float]] = {}

    def perform(self, wanted: Http) -> HttpAnswer:
        """The answer, whatever its status; raises OutboundRefused and OutboundFailed, and tells of it either way."""
        parts = _parts(wanted)
        host, port = str(parts.hostname), _port(parts)
        address, answer, problem = "", None, ""
        try:
            self._take_turn(host)
            targets = self._targets(host, port, tls=parts.scheme == "https")
            address = str(targets[0].address)
            answer = self._ask(wanted, parts, targets)
            return answer
        except (OutboundRefused, OutboundFailed) as error:
            problem = error.what
            raise
        finally:
            got = (answer.address, answer.status, len(answer.body)) if answer else (address, 0, 0)
            self._tell(
                Call(wanted.purpose, wanted.method, host, port, got[0], got[1], len(wanted.body), got[2], problem)
            )

    def _take_turn(self, host: str) -> None:
        """Count the call; OutboundRefused when there were ``CALLS`` to the host within a minute."""
        now = self._monotonic()
        self._made = {name: calls for name, calls in self._made.items() if calls and calls[-1] > now - MINUTE_S}
        calls = self._made.setdefault(host, deque(maxlen=CALLS))
        if len(calls) == CALLS and calls[0] > now - MINUTE_S:
            raise OutboundRefused(host, f"more than {CALLS} calls a minute")
        calls.append(now)

    def _targets(self, host: str, port: int, *, tls: bool) -> list[Target]:
        found = judged(host, port, self._judge, self._resolver)
        return [Target(host=host, address=address, port=port, tls=tls) for address in found]

    def _through(self) -> Target | None:
        """The proxy's own target; its name is resolved and judged like any other."""
        if self._proxy is None:
            return None
        address = judged(self._proxy.host, self._proxy.port, self._judge, self._resolver)[0]
        return Target(host=self._proxy.host, address=address, port=self._proxy.port, tls=False)

    def _ask(self, wanted: Http, parts: SplitResult, targets: list[Target]) -> HttpAnswer:
        """Ask at the first address that takes the connection."""
        deadline, through = Deadline(min(wanted.call_s, MOST_S)), self._through()
        for target in targets:
            line = PinnedConnection(target, deadline, self._trust, through)
            try:
                line.connect()
            except ssl.SSLError as error:
                raise OutboundFailed(target.host, f"TLS: {error.reason or error}") from error
            except OSError as error:
                if target is not targets[-1] and not isinstance(error, TimeoutError):
                    continue
                raise OutboundFailed(target.host, f"no connection to {target.address}: {error}") from error
            try:
                return _exchange(line, target, wanted, parts)
            finally:
                line.close()
        raise OutboundFailed(str(parts.hostname), "its name has no address")


def _exchange(line: PinnedConnection, target: Target, wanted: Http, parts: SplitResult) -> HttpAnswer:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        line.request(wanted.method, path, body=wanted.body or None, headers=_headers(wanted.headers))
        with line.getresponse() as answer:
            body = _body(answer, target.host, min(wanted.answer_bytes, MOST_BYTES))
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return HttpAnswer(status=answer.status, address=str(target.address), headers=headers, body=body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OutboundFailed(target.host, f"{target.address}: {error or type(error).__name__}") from error


def _body(answer: http.client.HTTPResponse, host: str, most: int) -> bytes:
    """The whole body, as it came (never unpacked); OutboundFailed as soon as it is over ``most``."""
    body = bytearray()
    while part := answer.read1(READ_BYTES):
        body += part
        if len(body) > most:
            raise OutboundFailed(host, f"the answer is larger than {most} bytes")
    if answer.length:
        raise OutboundFailed(host, "the answer ended too early")
    return bytes(body)


def _headers(wanted: Mapping[str, str]) -> dict[str, str]:
    ours = {"User-Agent": AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    return ours | {name: value for name, value in wanted.items() if name.lower() not in OURS}


def _parts(wanted: Http) -> SplitResult:
    """The parts of the request's URL; OutboundRefused for all that is not plain http(s)."""
    try:
        parts = urlsplit(wanted.url)
        port = parts.port
    except ValueError as error:
        raise OutboundRefused("url", f"is none: {error}") from error
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise OutboundRefused("url", "must be https://host/… or http://host/…")
    if parts.username is not None or parts.password is not None:
        raise OutboundRefused("url", "must hold no user and password")
    if not wanted.url.isascii() or not wanted.url.isprintable() or any(each in wanted.url for each in ' \\"<>'):
        raise OutboundRefused("url", "has characters that no URL has; an international name is written in Punycode")
    if port == 0 or wanted.method not in METHODS or len(wanted.body) > BODY_BYTES:
        raise OutboundRefused("url", f"port, method ({', '.join(sorted(METHODS))}) or size of the request")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (http.client.HTTPS_PORT if parts.scheme == "https" else http.client.HTTP_PORT)
