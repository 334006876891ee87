"""How cost grows with rules, with events, and what a second core brings: the structured Windows lane."""

import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.engine_lane import Lane
from bench.engine_lanes import Lanes, first_event
from bench.engine_rules import rules_folder
from bench.engine_runs import Ours, Rsigma

RULES = (300, 1000, 3000)
EVENTS = (50_000, 100_000, 200_000)
RUNS = 3


class Growth:
    """The same lane with more and more of something."""

    def __init__(self, lanes: Lanes, rules: Path, cache: Path, binary: str | None, cores: list[int]) -> None:
        self._lanes, self._rules, self._cache, self._binary, self._cores = lanes, rules, cache, binary, cores

    def measure(self) -> dict[str, Any]:
        """Figures by number of rules, of events, and of cores."""
        return {"rules": self._by_rules(), "events": self._by_events(), "cores": self._by_cores()}

    def _by_rules(self) -> list[dict[str, Any]]:
        lane = self._lanes.make("windows", EVENTS[1])
        return [self._figures(lane, rules_folder(self._rules, self._cache, most)) for most in RULES]

    def _by_events(self) -> list[dict[str, Any]]:
        rules = rules_folder(self._rules, self._cache)
        return [self._figures(self._lanes.make("windows", events), rules) for events in EVENTS]

    def _figures(self, lane: Lane, rules: Path) -> dict[str, Any]:
        ours = Ours([rules], self._cache, core=self._cores[-1])
        rsigma = Rsigma(self._binary, rules, core=self._cores[-1]) if self._binary else None
        mine, theirs = [], []
        for _ in range(RUNS):
            mine.append(ours.run(lane).cpu_s)
            if rsigma is not None:
                theirs.append(rsigma.run(lane).cpu_s)
        ours.close()
        found: dict[str, Any] = {
            "rules": ours.loaded.rules,
            "events": lane.events,
            "ours_cpu_s": round(median(mine), 3),
        }
        if rsigma is not None:
            load = rsigma.run(first_event(lane, self._cache)).cpu_s
            found["rsigma_cpu_s"] = round(median(theirs) - load, 3)
            found["ratio"] = round(found["rsigma_cpu_s"] / found["ours_cpu_s"], 2)
        return found

    def _by_cores(self) -> list[dict[str, Any]]:
        """One worker over the whole file, then two with every other block each; by the clock."""
        lane, rules = self._lanes.make("windows", EVENTS[2]), rules_folder(self._rules, self._cache)
        found = []
        for count in range(1, min(2, len(self._cores)) + 1):
            workers = [Ours([rules], self._cache, core=core) for core in self._cores[:count]]
            walls = [_wall(workers, lane) for _ in range(RUNS)]
            for worker in workers:
                worker.close()
            found.append({"cores": count, "events": lane.events, "wall_s": round(median(walls), 3)})
        return found


def _wall(workers: list[Ours], lane: Lane) -> float:
    began = time.monotonic()
    for number, worker in enumerate(workers):
        worker.order(lane, share=(number, len(workers)))
    for worker in workers:
        worker.reply()
    return time.monotonic() - began
