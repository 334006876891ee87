"""Once the three administrators are set up, the console moves to where the settings say: from loopback in the clear to
TLS, with cookies that travel over TLS only."""

import http.client
import ipaddress
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from soc_center.folder import DataFolder
from soc_center.prepare import prepare
from soc_center.settings import Listen, Settings, SettingsProblem, host_port, read_settings, write_settings
from tests.center.seated import PASSWORD, SECRET, seat_all
from tests.running import free_port, wait_for


@pytest.fixture
def listen(tmp_path: Path) -> Listen:
    """Where to serve, with a certificate that signs itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "soc")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    certificate, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Listen(console=f"127.0.0.1:{free_port()}", certificate=str(certificate), private_key=str(private))


@pytest.fixture
def folder(tmp_path: Path, listen: Listen) -> Iterator[DataFolder]:
    """A real center at its first start, whose console runs alone."""
    made = DataFolder(tmp_path / "data").make()
    write_settings(made.settings, Settings(version=1, name="test", units=[], sources=[], listen=listen))
    prepare(made, "real", {})
    command = [sys.executable, "-m", "soc_center.processes.serve", "--data", str(made.root)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    yield made
    process.terminate()
    assert process.wait(20) in (0, -15)


def asked(listen: Listen, tls: bool, path: str, *, body: str = "", cookie: str = "") -> tuple[int, str]:
    """The status of one request and the cookie that came back; 0 when nobody answers in that way."""
    host, port = host_port(listen.console)
    trusted = ssl.create_default_context(cafile=listen.certificate)
    made = http.client.HTTPSConnection(host, port, timeout=5, context=trusted) if tls else None
    connection = made or http.client.HTTPConnection(host, port, timeout=5)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{listen.console}"}
    try:
        connection.request("POST" if body else "GET", path, body, {"Cookie": cookie, **(form if body else {})})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("set-cookie", "")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def test_it_moves_to_tls_once_all_three_are_set_up(folder: DataFolder, listen: Listen) -> None:
    wait_for(lambda: asked(listen, False, "/sign-in")[0] == 503, 30, "the console before set-up")
    assert asked(listen, True, "/sign-in")[0] == 0
    seat_all(folder)
    wait_for(lambda: asked(listen, True, "/sign-in")[0] == 200, 30, "the console over TLS")
    assert asked(listen, False, "/sign-in")[0] == 0
    form = {"name": "audit", "password": PASSWORD, "code": pyotp.TOTP(SECRET).generate_otp(int(time.time()) // 30)}
    status, cookie = asked(listen, True, "/sign-in", body=urlencode(form))
    assert (status, cookie.partition("=")[0]) == (303, "__Host-fengsui")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert asked(listen, True, "/audit", cookie=cookie.partition(";")[0])[0] == 200


@pytest.mark.parametrize("console", ["0.0.0.0:8443", "10.1.2.3:8443", "[::]:8443"])
def test_beyond_this_machine_nothing_is_served_in_the_clear(tmp_path: Path, console: str) -> None:
    path = tmp_path / "fengsui.yml"
    write_settings(path, Settings(version=1, name="test", units=[], sources=[], listen=Listen(console=console)))
    with pytest.raises(SettingsProblem, match=r"beyond this machine it needs listen\.certificate"):
        read_settings(path)
