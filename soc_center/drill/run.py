"""The whole drill in one call: tell the story, send the records, wait for the alerts, give the verdict."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from soc_center.drill.campaign import Expectation, expected, first_shots, plan
from soc_center.drill.play import play, ways_in
from soc_center.drill.scenario import Scenario, load_scenario
from soc_center.drill.verdict import Verdict, judge, report
from soc_model.alert import Alert

FAST_PACE = 0.11
LEAD_US = 200_000  # the first record is made a little ahead of now, so that none is late from the start
PATIENCE_S = 20.0
LOOK_S = 0.25


async def run(  # noqa: PLR0917  # everything it needs is handed in
    intake_url: str,
    keys: Mapping[str, str],
    files: Mapping[str, Path],
    alerts: Callable[[], Sequence[Alert]],
    say: Callable[[str], None],
    fast: bool,
    seed: int,
) -> int:
    """0 when every expected alert came, else 1; raises ``Problem`` where the drill could not be played.

    ``alerts`` gives the alerts of realm drill as they are now; ``say`` is handed lines for a person to read.
    """
    scenario = load_scenario()
    ways = ways_in(intake_url, keys, files)
    start_us = time.time_ns() // 1000 + LEAD_US
    shots = plan(scenario, start_us, seed, FAST_PACE if fast else 1.0)
    say(f"{scenario.name_zh} / {scenario.name}: {len(shots)} records, seed {seed}")
    await play(shots, ways, _teller(scenario, start_us, say))
    verdict = await _await_verdict(expected(scenario), first_shots(shots), alerts)
    say(report(verdict, scenario, "zh"))
    say(report(verdict, scenario, "en"))
    return verdict.exit_code


def _teller(scenario: Scenario, start_us: int, say: Callable[[str], None]) -> Callable[[str], None]:
    steps = {step.id: step for step in scenario.steps}

    def tell(step_id: str) -> None:
        step = steps[step_id]
        after_s = (time.time_ns() // 1000 - start_us) / 1_000_000
        say(f"{after_s:5.1f} s  {step.technique}  {step.name_zh}：{step.story_zh}\n         {step.name}: {step.story}")

    return tell


async def _await_verdict(
    expectations: Sequence[Expectation], began: Mapping[str, int], alerts: Callable[[], Sequence[Alert]]
) -> Verdict:
    deadline = time.monotonic() + PATIENCE_S
    verdict = judge(expectations, began, alerts())
    while verdict.missed and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_S)
        verdict = judge(expectations, began, alerts())
    return verdict
