"""Log shippers that speak Elasticsearch's _bulk feed a real center: every id is found once, also over kills.

A real rsyslog with omelasticsearch and the official Python client where they are there, and a sender that follows
Filebeat's behaviour on the wire.
"""

import hashlib
import importlib
import importlib.util
import os
import random
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import absent
from tests.filebeat_shaped import FilebeatShaped
from tests.forwarding import RSYSLOG_FOLDERS, forwarding, found
from tests.running import Center, wait_for

pytestmark = pytest.mark.services
KEY = "a-key-for-tests-only"  # rsyslog takes none with spaces
SEED = int(os.environ.get("FENGSUI_SEED", str(random.SystemRandom().randrange(1 << 32))))
MODULE = "omelasticsearch.so"
MESSAGES = 2000


def documented(root: Path, port: int) -> str:
    """What docs/sources.md tells people to write, with this port, user and key."""
    found = re.search(r"```rsyslog\n(.*?)```", (root / "docs" / "sources.md").read_text("utf-8"), re.S)
    assert found
    text = found[1].replace('serverport="8760"', f'serverport="{port}"').replace('uid="web-1"', 'uid="rsyslog"')
    return text.replace('pwd="KEY"', f'pwd="{KEY}-rsyslog"')


def source(name: str, **more: Any) -> dict[str, Any]:
    base = {"id": name, "name": name, "transport": "http", "layer": "host", "unit": "unit", "trust": "key"}
    return {**base, "key_sha256": hashlib.sha256(f"{KEY}-{name}".encode()).hexdigest(), **more}


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    sources = [source("rsyslog", format="json"), source("beat", format="beats", options={"inner": "syslog"})]
    center = Center(tmp_path, sources)
    center.start()
    wait_for(lambda: center.gauge("collect") and center.gauge("detect"), 60, "the center running")
    yield center
    center.stop()


@pytest.fixture
def rsyslogd() -> str:
    found = shutil.which("rsyslogd", path=RSYSLOG_FOLDERS)
    if found is None or not any(Path("/usr/lib").glob(f"*/rsyslog/{MODULE}")):
        absent("rsyslog-elasticsearch", f"no rsyslogd with {MODULE} (Debian: apt-get install rsyslog-elasticsearch)")
    return str(found)


@pytest.fixture
def followed(tmp_path: Path, root: Path, rsyslogd: str, center: Center) -> Iterator[Path]:
    """The file that a running rsyslog follows."""
    with forwarding(rsyslogd, tmp_path / "rsyslog", documented(root, center.intake)) as log:
        yield log


@pytest.mark.timeout(180)
def test_rsyslog_sends_by_bulk_and_each_message_is_there_once(center: Center, followed: Path) -> None:
    sent = [f"number {i} 烽燧" for i in range(MESSAGES)]
    followed.write_text("".join(f"{message}\n" for message in sent), "utf-8")
    wait_for(lambda: found(center, "rsyslog").total() >= MESSAGES, 90, f"{MESSAGES} messages by _bulk")
    assert found(center, "rsyslog") == Counter(sent)


@pytest.fixture
def client() -> Any:
    """The official client's module."""
    if importlib.util.find_spec("elasticsearch") is None:
        absent("elasticsearch", "the Python client is not installed (PyPI: elasticsearch)")
    return importlib.import_module("elasticsearch")


@pytest.mark.parametrize("said", ["basic_auth", "api_key", "bearer_auth"])
@pytest.mark.timeout(120)
def test_the_official_client_takes_the_intake_for_what_it_knows(center: Center, client: Any, said: str) -> None:
    key = f"{KEY}-rsyslog"
    given = {said: key if said == "bearer_auth" else ("rsyslog", key)}
    documents = [{"@timestamp": "2026-03-02T08:52:00Z", "message": f"number {i}"} for i in range(1000)]
    with client.Elasticsearch(f"http://127.0.0.1:{center.intake}", http_compress=True, **given) as sender:
        assert sender.ping()
        actions = ({"_op_type": "create", "_index": "logs", **document} for document in documents)
        bulk = importlib.import_module("elasticsearch.helpers").bulk
        assert bulk(sender, actions) == (1000, [])
    wait_for(lambda: found(center, "rsyslog").total() >= 1000, 60, "all documents")
    assert found(center, "rsyslog") == Counter(document["message"] for document in documents)


def event(number: int) -> dict[str, Any]:
    return {
        "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "agent": {"type": "filebeat", "version": "8.19.0"},
        "host": {"name": "web-1"},
        "log": {"file": {"path": "/var/log/app.log"}, "offset": number * 40},
        "message": f"<13>app[1]: number {number}",
    }


class Sending(threading.Thread):
    """Sends batches until told to stop."""

    def __init__(self, beat: FilebeatShaped) -> None:
        super().__init__(daemon=True)
        self.beat, self.sent, self.stopped = beat, 0, threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            size = 20 + self.sent % 37
            self.beat.publish([event(self.sent + i) for i in range(size)])
            self.sent += size
        self.beat.close()


@pytest.mark.timeout(300)
def test_over_kills_and_lost_answers_each_event_of_a_beat_is_there_once(center: Center) -> None:
    chance = random.Random(SEED)
    beat = FilebeatShaped(center.intake, f"beat:{KEY}-beat", deaf=0.1, chance=random.Random(SEED + 1))
    sending = Sending(beat)
    sending.start()
    for _ in range(6):
        time.sleep(chance.uniform(0.5, 2.0))
        pid = wait_for(lambda: center.pids().get("collect"), 60, "collect running")
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: center.pids().get("collect", pid) != pid, 60, "collect running again")
    sending.stopped.set()
    sending.join(60)
    assert not sending.is_alive() and not beat.dropped
    wait_for(lambda: found(center, "beat").total() >= sending.sent, 60, "all events")
    print(f"seed {SEED}: {sending.sent} events, {beat.resent} requests sent again")
    assert found(center, "beat") == Counter(f"number {n}" for n in range(sending.sent))
    assert len(beat.acked) == sending.sent > 100 and beat.resent > 6
