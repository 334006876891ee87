"""A real rsyslog sends to a real center: by TCP with octet counting every message is found once, by UDP nearly all."""

import json
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import absent
from tests.forwarding import RSYSLOG_FOLDERS, forwarding, found
from tests.running import Center, free_port, wait_for

pytestmark = pytest.mark.services
MESSAGES = 2000
ACTIONS = """\
action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")
action(type="omfwd" target="127.0.0.1" port="{udp}" protocol="udp" template="RSYSLOG_ForwardFormat")
"""


@pytest.fixture
def rsyslogd() -> str:
    found = shutil.which("rsyslogd", path=RSYSLOG_FOLDERS)
    if found is None:
        absent("rsyslog", "no rsyslogd (Debian: apt-get install rsyslog)")
    return str(found)


def source(name: str, place: str) -> dict[str, Any]:
    base = {"id": name, "name": name, "transport": "syslog", "format": "syslog", "layer": "host", "unit": "unit"}
    return {**base, "settings": {name: place, "from": ["127.0.0.0/8"]}}


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ports() -> dict[str, int]:
    return {"tcp": free_port(), "udp": free_udp_port()}


@pytest.fixture
def center(tmp_path: Path, ports: dict[str, int]) -> Iterator[Center]:
    center = Center(tmp_path, [source(name, f"127.0.0.1:{port}") for name, port in ports.items()])
    center.start()
    wait_for(lambda: center.gauge("collect") and center.gauge("detect"), 60, "the center running")
    yield center
    center.stop()


@pytest.fixture
def sending(tmp_path: Path, ports: dict[str, int], rsyslogd: str, center: Center) -> Iterator[Path]:
    """The file that a running rsyslog follows."""
    with forwarding(rsyslogd, tmp_path / "rsyslog", ACTIONS.format(**ports)) as log:
        yield log


@pytest.mark.timeout(180)
def test_rsyslog_sends_and_each_message_is_there_once(center: Center, sending: Path) -> None:
    sent = [f"number {i} 烽燧 {json.dumps({'i': i})}" for i in range(MESSAGES)]
    sending.write_text("".join(f"{message}\n" for message in sent), "utf-8")
    wait_for(lambda: found(center, "tcp").total() >= MESSAGES, 90, f"{MESSAGES} messages by TCP")
    assert found(center, "tcp") == Counter(sent)
    wait_for(lambda: found(center, "udp").total() >= MESSAGES * 0.95, 30, "most messages by UDP")
    assert set(found(center, "udp").values()) == {1}
    assert set(found(center, "udp")) <= set(sent)
