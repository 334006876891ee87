"""Waits until it is told to end; ``deaf`` never listens. It starts a process of its own that would go on for ever."""

import signal
import subprocess
import sys
import time
from typing import Any

import msgspec

from soc_center.job_place import Caps, Job, JobPlace

CAPS = Caps(time_s=60)
ATTEMPTS = 1


class Params(msgspec.Struct, frozen=True, kw_only=True):
    deaf: bool = False


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (place.folder.root / "grandchild").write_text(str(child.pid))
    if job.params.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    place.progress(1, 3, "waiting")
    while True:
        time.sleep(0.05)
        if not job.params.get("deaf"):
            place.progress(1, 3, "waiting")
