"""Jobs and schedules of the state database alone, for processes that need nothing else of it and shall stay small."""

from sqlalchemy import Engine

from soc_store.jobs import Jobs
from soc_store.migration import open_current
from soc_store.schedules import Schedules


class JobBook:
    """The part of the state that is about work; safe to use from many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.jobs = Jobs(engine)
        self.schedules = Schedules(engine)

    @classmethod
    def open(cls, url: str) -> "JobBook":
        """The jobs at ``url``; ``Problem`` when the database is not of this program's revision."""
        return cls(open_current(url))

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()
