"""What a child that touches hostile input may not do: outlive its parent, grow without bound, dump core, run for ever.

Each function lowers a limit of the process that calls it; those of time begin anew with each batch, no other can be
raised again from inside.
"""

import ctypes
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_STATM = Path("/proc/self/statm")


def die_with_parent() -> None:
    """Be killed when the parent ends (Linux); elsewhere a child ends when its pipe does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit_growth(more_bytes: int) -> None:
    """Allow ``more_bytes`` of address space beyond what is mapped now, where the system tells how much that is."""
    if _STATM.exists():
        lower(resource.RLIMIT_AS, int(_STATM.read_text().split()[0]) * resource.getpagesize() + more_bytes)


def lower(kind: int, value: int) -> None:
    """Set both the soft and the hard limit to ``value``, or to the hard limit where that is lower."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def compute_at_most(seconds: int) -> None:
    """Be killed by the kernel after so much more processor time, of all threads together; each call begins anew."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def end_after(seconds: float) -> None:
    """Be killed by the kernel ``seconds`` from now, whatever runs then; 0 takes it back."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
