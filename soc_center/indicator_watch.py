"""The indicators in force, as detect's parent sees them: mapped before the fork, looked at again once a minute.

A set that cannot be opened leaves the last right one in force, and why is told.
"""

import time
from collections.abc import Callable

from detection_rules.indicators import NO_INDICATORS, Indicators
from soc_center.folder import DataFolder
from soc_center.indicator_folder import current_path
from soc_center.life import say
from soc_model.problem import Problem
from soc_store.indicator_set import IndicatorSet

LOOK_S = 60.0


class IndicatorWatch:
    """``indicators`` are those in force; ``problem`` says why they are not the newest, where they are not."""

    def __init__(self, folder: DataFolder, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._monotonic = folder.indicators, monotonic
        self.indicators: Indicators = NO_INDICATORS
        self.problem = ""
        self._read()

    def look(self) -> None:
        """Open the newest set where it is another; at most once a minute."""
        if self._monotonic() - self._looked >= LOOK_S:
            self._read()

    def _read(self) -> None:
        self._looked = self._monotonic()
        try:
            path = current_path(self._folder)
            if path is not None and path.stem != self.indicators.id:
                found = IndicatorSet.open(path)
                self.indicators = Indicators(found)
                say(f"detect: {len(found)} indicators, set {found.id[:12]}")
            self.problem = ""
        except Problem as problem:
            if self.problem != str(problem):
                say(f"detect: {problem}")
            self.problem = str(problem)
