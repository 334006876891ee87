"""A real rsyslog that follows a file and forwards it, and how often each message has come to a center."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soc_center.system import SYSTEM
from soc_store.search import EventQuery, search_events
from tests.running import Center

RSYSLOG_FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin"
_FOLLOW = """\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{folder}/in.log" tag="feed:" severity="notice" facility="local0")
"""


@contextmanager
def forwarding(rsyslogd: str, folder: Path, actions: str) -> Iterator[Path]:
    """The file that a running rsyslog follows, for ``actions`` of its configuration; ``folder`` is made."""
    folder.mkdir()
    config = folder / "rsyslog.conf"
    config.write_text(_FOLLOW.format(folder=folder) + actions, "utf-8")
    command = [rsyslogd, "-n", "-f", str(config), "-i", str(folder / "pid")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield folder / "in.log"
    finally:
        process.terminate()
        process.wait(20)


def found(center: Center, source_id: str) -> Counter[str]:
    """How often each message is there."""
    messages: Counter[str] = Counter()
    cursor = None
    while True:
        page = search_events(center.data, SYSTEM, EventQuery(source_ids=(source_id,), limit=1000, cursor=cursor))
        messages.update(row["message"] for row in page.rows)
        cursor = page.cursor
        if cursor is None:
            return messages
