"""One connection to one judged address: resolved once, connected to that very address, within one deadline.

The standard library's HTTP client speaks over it. The one thing to know: names are resolved here and nowhere else;
TLS (SNI, certificate) and the Host header keep the name, the socket only ever sees the address.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from soc_center.outbound_address import Address, Judge
from soc_model.outbound import OutboundFailed, OutboundRefused

Resolver = Callable[[str, int], Sequence[str]]
HEAD_BYTES = 8192  # of a proxy's answer
LEAST_S = 0.001  # a socket's time-out of 0 would mean: do not wait at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a call leads: the name, one judged address of it, the port, and whether TLS is spoken there."""

    host: str
    address: Address
    port: int
    tls: bool


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them; raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def judged(host: str, port: int, judge: Judge, resolver: Resolver = resolve) -> list[Address]:
    """The addresses of a name, resolved this once; OutboundRefused when any of them is denied."""
    try:
        found = [ipaddress.ip_address(each) for each in resolver(host, port)]
    except (OSError, UnicodeError, ValueError) as error:
        raise OutboundFailed(host, f"its name cannot be resolved: {error}") from error
    for address in found:
        if why := judge(host, address, port):
            raise OutboundRefused(host, why)
    if not found:
        raise OutboundFailed(host, "its name has no address")
    return list(dict.fromkeys(found))


class Deadline:
    """When a call must be over."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._end, self._monotonic = monotonic() + seconds, monotonic

    def left(self) -> float:
        """Seconds until then; raises TimeoutError when it is over."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError("took too long")
        return max(left, LEAST_S)


class _Timed(io.RawIOBase):
    """What the HTTP client reads from: every read may take what is left of the whole call, so dripping ends too."""

    def __init__(self, line: socket.socket, deadline: Deadline) -> None:
        self._line, self._deadline = line, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(self._deadline.left())
        return self._line.recv_into(buffer)

    def close(self) -> None:
        self._line.close()
        super().close()


class _Line:
    """A socket as the HTTP client wants it: ``sendall``, ``makefile``, ``close``; once it is read from, its reader
    closes it, as the client lets go of the socket before it has read the answer."""

    def __init__(self, line: socket.socket, deadline: Deadline) -> None:
        self._line, self._deadline, self._read = line, deadline, False

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(self._deadline.left())
        self._line.sendall(data)

    def makefile(self, mode: str, *_: Any) -> io.BufferedReader:
        self._read = True
        return io.BufferedReader(_Timed(self._line, self._deadline))

    def close(self) -> None:
        if not self._read:
            self._line.close()


class PinnedConnection(http.client.HTTPConnection):
    """The HTTP client of the standard library on one target; through ``proxy`` by CONNECT to the judged address."""

    def __init__(self, target: Target, deadline: Deadline, trust: ssl.SSLContext, proxy: Target | None = None) -> None:
        super().__init__(target.host, target.port)
        self.default_port = http.client.HTTPS_PORT if target.tls else http.client.HTTP_PORT  # none in the Host header
        self._pinned, self._deadline, self._trust, self._proxy = target, deadline, trust, proxy

    def connect(self) -> None:
        """Connect to the address itself; raises OSError."""
        first = self._proxy or self._pinned
        line = socket.create_connection((str(first.address), first.port), timeout=self._deadline.left())
        try:
            if self._proxy is not None:
                _pass(line, self._pinned, self._deadline)
            if self._pinned.tls:
                line.settimeout(self._deadline.left())
                line = self._trust.wrap_socket(line, server_hostname=self._pinned.host)
        except BaseException:
            line.close()
            raise
        self.sock = _Line(line, self._deadline)


def _pass(line: socket.socket, target: Target, deadline: Deadline) -> None:
    """Have the proxy connect to the target's address; raises OSError when it does not."""
    shown = f"[{target.address}]" if target.address.version == 6 else str(target.address)
    line.sendall(f"CONNECT {shown}:{target.port} HTTP/1.1\r\nHost: {shown}:{target.port}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        line.settimeout(deadline.left())
        byte = line.recv(1)  # one at a time: what follows the head belongs to the target
        if not byte or len(answer) > HEAD_BYTES:
            raise ConnectionError("the proxy's answer is not one")
        answer += byte
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        said = answer.splitlines()[0][:80]
        raise ConnectionError(f"the proxy answered {said!r}")
