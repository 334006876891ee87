"""Indicators as the app may use them: read from the set in force at each question, removed by a job."""

from collections.abc import Sequence

from soc_center.folder import DataFolder
from soc_center.indicator_folder import open_current
from soc_center.indicator_import import check_feed
from soc_center.indicator_search import search
from soc_center.job_request import request_job
from soc_model.indicator import Feed, Indicator
from soc_model.job import Job
from soc_store.interfaces import JobStore


class IndicatorAccess:
    """What serve hands to the app."""

    def __init__(self, folder: DataFolder, jobs: JobStore) -> None:
        self._folder, self._jobs = folder, jobs

    def feeds(self) -> Sequence[Feed]:
        """The feeds in force; ``Problem`` where the set cannot be read."""
        found = open_current(self._folder.indicators)
        return found.feeds if found is not None else []

    def search(self, value: str) -> Sequence[Indicator]:
        """What is known of a value."""
        return search(self._folder.indicators, value)

    def remove(self, feed: str, person: str) -> Job:
        """Ask that a feed is removed."""
        check_feed(feed)
        return request_job(self._jobs, self._folder.run, "remove_indicators", {"feed": feed}, person, own_door=True)
