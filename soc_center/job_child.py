"""The process of one job: limited, killable, and unable to change the job itself.

Exec'ed by work as ``python -m soc_center.job_child --data DIR --job ID --report FD``. The order comes in on standard
input as one JSON value; reports go out on the descriptor, one a line. SIGTERM asks it to stop; ``progress`` then
raises.
"""

import argparse
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

import msgspec

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.job_kind import JobKind, load_kind
from soc_center.job_place import Cancelled, JobPlace
from soc_center.job_report import Began, Failed, Order, Progressed, Report, Stopped, Succeeded
from soc_center.limits import die_with_parent, end_after, limit_growth, lower
from soc_center.settings import read_settings
from soc_model.job import RESULT_BYTES, Caps, Job
from soc_model.problem import Problem
from soc_store.packing import jsoned

GRACE_S = 30.0  # the worker ends it at its time cap; if that one hangs, the kernel does so a little later


class Reporter:
    """The way to the worker, and what came from it: whether to stop."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._stopping = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def stopping(self) -> bool:
        """Whether the job shall end."""
        return self._stopping

    def progress(self, done: int, total: int, text: str) -> None:
        """Tell how far the job is."""
        self.say(Progressed(done=int(done), total=int(total), text=text))

    def say(self, report: Report) -> None:
        """Send one report; ends the process when nobody listens any more."""
        data = jsoned(report).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            os._exit(1)


def confine(caps: Caps) -> None:
    """Lower this process's limits to the caps, for good."""
    limit_growth(caps.memory_bytes)
    lower(resource.RLIMIT_NOFILE, caps.open_files)
    lower(resource.RLIMIT_CORE, 0)
    end_after(caps.time_s + GRACE_S)


def perform(job: Job, folder: DataFolder, reporter: Reporter) -> Report:
    """The last report: what the job came to."""
    caps = Caps()
    try:
        kind = load_kind(job.kind)
        caps = kind.caps
        kind.check(job.params)
        place = JobPlace(
            folder=folder,
            settings=read_settings(folder.settings),
            now=now_us,
            tell=reporter.progress,
            cancelled=reporter.stopping,
        )
        reporter.say(Began(caps=caps))
        confine(caps)
        return _checked(kind, job, place)
    except Problem as problem:
        return Failed(error=str(problem))
    except Cancelled:
        return Stopped()
    except MemoryError:
        return Failed(error=f"needed more than its {caps.memory_bytes >> 20} MiB of memory")
    except Exception as error:
        traceback.print_exc()
        return Failed(error=f"{type(error).__name__}: {error}")


def _checked(kind: JobKind, job: Job, place: JobPlace) -> Report:
    result = kind.run(job, place)
    if not isinstance(result, dict):
        return Failed(error=f"{kind.name} gave {type(result).__name__}, not a result")
    if len(jsoned(result)) > RESULT_BYTES:
        return Failed(error=f"the result is over {RESULT_BYTES >> 20} MiB")
    return Succeeded(result=result)


def main() -> None:
    """Do the one job that was ordered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--job", type=int, required=True, help="its id, for who looks at the processes")
    parser.add_argument("--report", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent()
    os.umask(0o077)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    if os.getppid() != order.parent:
        sys.exit(1)  # it ended before this process could be tied to it
    reporter = Reporter(arguments.report)
    reporter.say(perform(order.job, DataFolder(arguments.data), reporter))


if __name__ == "__main__":
    main()
