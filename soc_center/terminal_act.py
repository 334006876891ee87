"""What somebody does on the terminal, beside any transaction of the state, stands in the audit record all the same."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_model.audit import Act
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_store.state import State

TERMINAL = "terminal"


@contextmanager
def acting(folder: DataFolder, act: Act, subject: str, **detail: str) -> Iterator[None]:
    """Records the act once the block has done it; ``Problem``, and nothing is done, where no record can be written."""
    if not folder.state.exists():
        raise Problem(str(folder.state), "is not there, so what you do could not be recorded; fengsui up makes it")
    state = State.open(folder.state_url)
    try:
        yield
        state.audit.record(act, Actor(name=getpass.getuser(), address=TERMINAL), subject, now_us(), **detail)
    finally:
        state.close()
