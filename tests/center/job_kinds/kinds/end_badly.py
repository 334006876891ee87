"""Ends in the way it is told to."""

import os
import signal
from typing import Any

import msgspec

from soc_center.job_place import Job, JobPlace
from soc_model.problem import Problem


class Params(msgspec.Struct, frozen=True, kw_only=True):
    how: str = "signal"


ATTEMPTS = 1


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    match job.params.get("how"):
        case "problem":
            raise Problem("here", "is something wrong \ud800")
        case "error":
            raise ValueError("a mistake")
        case "files":
            return {"open": [os.open("/dev/null", os.O_RDONLY) for _ in range(100_000)]}
        case "large":
            return {"much": "x" * (2 << 20)}
    os.kill(os.getpid(), signal.SIGKILL)
    return {}
