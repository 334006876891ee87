"""HTTP servers on loopback for tests of the outbound driver, and a judge that lets tests reach them alone."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from soc_center.outbound import Call, Outbound
from soc_center.outbound_address import Address, AllowList, CenterJudge, Judge

NOBODY = AllowList(networks=(), hosts=frozenset())
STRICT = CenterJudge(allowed=NOBODY, own_ports=frozenset())
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


def lenient(*ports: int) -> Judge:
    """The judge of the center, but for these ports of loopback: no settings can make one like it."""

    def judge(host: str, address: Address, port: int) -> str:
        return "" if address.is_loopback and port in ports else STRICT(host, address, port)

    return judge


class Server:
    """Answers every connection with the same bytes, or with what ``speak`` does; keeps what it was asked."""

    def __init__(self, answer: bytes = OK, speak: Callable[[socket.socket], None] | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[bytes] = []
        self._answer, self._speak = answer, speak
        self.tls: ssl.SSLContext | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._serve(line)

    def _serve(self, line: socket.socket) -> None:
        with line if self.tls is None else self.tls.wrap_socket(line, server_side=True) as spoken:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += spoken.recv(1) or b"\r\n\r\n"
            self.asked.append(head)
            if self._speak is not None:
                self._speak(spoken)
            else:
                spoken.sendall(self._answer)

    def close(self) -> None:
        self._listener.close()


@contextlib.contextmanager
def serving(answer: bytes = OK, speak: Callable[[socket.socket], None] | None = None) -> Iterator[Server]:
    server = Server(answer, speak)
    try:
        yield server
    finally:
        server.close()


def driver(*ports: int, calls: list[Call] | None = None, **changes: object) -> Outbound:
    """A driver whose names all lead to loopback, of which it may reach these ports."""
    told = calls if calls is not None else []
    given = {"resolver": lambda host, port: ["127.0.0.1"], **changes}
    return Outbound(lenient(*ports), told.append, **given)  # type: ignore[arg-type]


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """What a server of that name proves itself by; ``folder/cert.pem`` is what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(datetime.datetime(2020, 1, 1))
    made = made.not_valid_after(datetime.datetime(2100, 1, 1))
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    signed = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
