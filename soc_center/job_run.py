"""A job's process as its worker sees it: an order in, reports out, a time cap, and an end that always comes.

Comes in: a leased job. Goes out: an ``Ending``, exactly one. The process leads a group of its own, and whatever the
end was, the whole group is killed with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from soc_center.job_report import LINE_BYTES, Began, Failed, Order, Progressed, Report, Stopped, Succeeded
from soc_model.job import Caps, Job

START_S = 60.0  # until the kind is loaded
STOP_S = 5.0  # between SIGTERM and SIGKILL
LEASE_US = 30_000_000
BEAT_S = 10.0  # a job that has nothing new to say holds its lease so often
SAVE_S = 1.0  # and one that has, so often at the most


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process ended: with its last report, or without (then ``lost`` says how)."""

    report: Succeeded | Failed | Stopped | None
    lost: str = ""


class JobRun:
    """One running job; ``look`` moves it on and gives its ending once there is one."""

    def __init__(self, job: Job, data: Path) -> None:
        self.job = job
        self.progress = Progressed(done=0, total=0, text="")
        self._received = bytearray()
        self._listening = True
        self._last: Succeeded | Failed | Stopped | None = None
        self._caps: Caps | None = None
        self._kill_at: float | None = None
        self._stopped = False
        self._why = ""
        self._saved = self.progress
        self._beat = self._began = time.monotonic()
        self._reports, write = os.pipe()
        try:
            os.set_blocking(self._reports, False)
            self._process = _spawn(job, data, write)
        except BaseException:
            os.close(self._reports)
            raise
        finally:
            os.close(write)

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end; it is killed if it has not after five seconds. More than once does nothing."""
        if not self._stopped:
            self._stopped = True
            self._kill_at = time.monotonic() + STOP_S
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def to_tell(self) -> Progressed | None:
        """What is to be kept now: news once a second, and every ten seconds whatever there is; else None."""
        waited = time.monotonic() - self._beat
        if waited < (SAVE_S if self.progress != self._saved else BEAT_S):
            return None
        self._beat, self._saved = time.monotonic(), self.progress
        return self.progress

    def reads(self) -> list[int]:
        """The descriptors on which something may come."""
        return [self._reports] if self._listening else []

    def look(self) -> Ending | None:
        """Read what came, enforce the time cap; the ending once the process has ended."""
        self._read()
        if _has_ended(self.pid):
            return self._end()
        self._enforce()
        return None

    def kill(self) -> None:
        """End it now, with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _enforce(self) -> None:
        now = time.monotonic()
        limit = START_S if self._caps is None else self._caps.time_s
        if not self._listening and self._kill_at is None:
            self._kill_at = now + STOP_S  # it has said all it can say, so it is about to end
        if self._kill_at is not None and now >= self._kill_at:
            self.kill()
        elif now - self._began >= limit and not self._why:
            what = "could not be loaded within" if self._caps is None else "took longer than its"
            self._why = f"{what} {limit:g} s"
            self.kill()

    def _read(self) -> None:
        """Take in what the process said."""
        try:
            while self._listening and (data := os.read(self._reports, 1 << 16)):
                self._received += data
                self._understand()
            self._listening = False
        except BlockingIOError:
            return
        except (msgspec.MsgspecError, OverflowError):
            self._listening = False
            self._why = self._why or "its process said what is no report"
            self.kill()

    def _understand(self) -> None:
        *lines, rest = bytes(self._received).split(b"\n")
        self._received = bytearray(rest)
        if len(rest) > LINE_BYTES:
            raise OverflowError
        for line in lines:
            self._take(msgspec.json.decode(line, type=Report))

    def _take(self, report: Report) -> None:
        if isinstance(report, Began):
            self._caps, self._began = report.caps, time.monotonic()
        elif isinstance(report, Progressed):
            self.progress = report
        else:
            self._last = report

    def _end(self) -> Ending:
        self._read()
        # The leader is not yet reaped, so the group's id is still its: whatever it started and left goes with it.
        self.kill()
        code = self._process.wait()
        os.close(self._reports)
        if self._last is not None:
            return Ending(self._last)
        if self._why:
            return Ending(Failed(error=self._why))
        if self._stopped:
            return Ending(Stopped())
        return Ending(None, f"its process ended ({_ending(code)})")


def _has_ended(pid: int) -> bool:
    """Whether a child has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _spawn(job: Job, data: Path, report: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "soc_center.job_child", "--data", str(data)]
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [*command, "--job", str(job.id), "--report", str(report)],
        stdin=subprocess.PIPE,
        pass_fds=(report,),
        start_new_session=True,
        # Each arena reserves 64 MiB of address space, whatever is in it: few of them, or the memory cap means little.
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )
    assert process.stdin is not None
    # An order is smaller than what a pipe holds, so this never waits; if the process is gone, its end tells.
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(msgspec.json.encode(Order(job=job, parent=os.getpid())))
    return process


def _ending(code: int) -> str:
    return f"signal {-code}, {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
