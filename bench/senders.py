"""The ways in which the load generator sends a block: a TCP connection, an HTTP connection, a file that is appended to.

Each holds at most one block: ``give`` takes it when ``idle``, ``pump`` moves it on when ``fileno`` is ready. The one
thing to know: ``sent`` tells the numbers that are out, for HTTP only those that were acknowledged with 200.
"""

import os
import select
import socket
import time
from typing import Protocol

CONNECT_S = 10.0
RESEND_S = 0.1
LAST_S = 60.0  # for the center to read what was sent


class Sender(Protocol):
    """One connection or file of the load."""

    idle: bool
    refused: int

    def give(self, number: int, data: bytes) -> list[int]:
        """Begin to send block ``number``; the blocks that are out."""
        ...

    def pump(self) -> list[int]:
        """Go on; the blocks that are out since."""
        ...

    def interest(self) -> int:
        """What to poll for, 0 for nothing."""
        ...

    def fileno(self) -> int: ...

    def finish(self) -> bool:
        """Wait until the center has taken everything; whether it said so."""
        ...


class TcpSender:
    """Plain syslog over one connection from a loopback address of its own."""

    def __init__(self, place: tuple[str, int], own: str = "") -> None:
        self.idle, self.refused = True, 0
        self._rest = memoryview(b"")
        self._number = -1
        self._socket = socket.create_connection(place, CONNECT_S, (own, 0) if own else None)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def interest(self) -> int:
        return 0 if self.idle else select.POLLOUT

    def give(self, number: int, data: bytes) -> list[int]:
        self._number, self._rest, self.idle = number, memoryview(data), False
        return self.pump()

    def pump(self) -> list[int]:
        try:
            self._rest = self._rest[self._socket.send(self._rest) :]
        except BlockingIOError:
            return []
        self.idle = not self._rest
        return [self._number] if self.idle else []

    def finish(self) -> bool:
        """End the connection: the center closes its side when all of it is in the journal."""
        self._socket.settimeout(LAST_S)
        try:
            self._socket.shutdown(socket.SHUT_WR)
            return self._socket.recv(1) == b""
        except OSError:
            return False
        finally:
            self._socket.close()


class HttpSender:
    """NDJSON over one kept connection; what is not acknowledged is sent again until it is."""

    def __init__(self, place: tuple[str, int], source: str, key: str) -> None:
        self.idle, self.refused = True, 0
        self._place = place
        self._head = (
            f"POST /v1/intake/{source} HTTP/1.1\r\nHost: {place[0]}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/x-ndjson\r\nContent-Length: "
        ).encode()
        self._request = b""
        self._rest = memoryview(b"")
        self._answer = b""
        self._number = -1
        self._socket = self._connected()

    def _connected(self) -> socket.socket:
        made = socket.create_connection(self._place, CONNECT_S)
        made.setblocking(False)
        return made

    def fileno(self) -> int:
        return self._socket.fileno()

    def interest(self) -> int:
        return 0 if self.idle else select.POLLIN | (select.POLLOUT if self._rest else 0)

    def give(self, number: int, data: bytes) -> list[int]:
        self._number, self.idle = number, False
        self._request = b"%s%d\r\n\r\n%s" % (self._head, len(data), data)
        self._rest = memoryview(self._request)
        return self.pump()

    def pump(self) -> list[int]:
        try:
            if self._rest:
                self._rest = self._rest[self._socket.send(self._rest) :]
            if not self._rest:
                return self._hear()
        except BlockingIOError:
            pass
        except OSError:
            self._again(reconnect=True)
        return []

    def _hear(self) -> list[int]:
        data = self._socket.recv(65_536)
        if not data:
            self._again(reconnect=True)
            return []
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return []
        self._answer = b""
        if head.split(b" ", 2)[1] != b"200":
            self._again(reconnect=False)
            return []
        self.idle = True
        return [self._number]

    def _again(self, *, reconnect: bool) -> None:
        """Send the same request once more: it was refused, or the connection broke."""
        self.refused += 1
        time.sleep(RESEND_S)
        if reconnect:
            self._socket.close()
            self._socket = self._connected()
        self._answer = b""
        self._rest = memoryview(self._request)

    def finish(self) -> bool:
        """Nothing is left to wait for: what counts was acknowledged."""
        self._socket.close()
        return self.idle


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


class FileSender:
    """Lines appended to a file that collect follows."""

    def __init__(self, path: str) -> None:
        self.idle, self.refused = True, 0
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def fileno(self) -> int:
        return self._fd

    def interest(self) -> int:
        return 0

    def give(self, number: int, data: bytes) -> list[int]:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        return [number]

    def pump(self) -> list[int]:
        return []

    def finish(self) -> bool:
        os.close(self._fd)
        return True
