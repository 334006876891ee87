"""From the story to timed records: pure, and the same for the same scenario, start and seed."""

from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from soc_center.drill.placeholder import Values, fill
from soc_center.drill.scenario import Scenario
from soc_model.layer import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One record to send at ``at_us`` to a source, without its line end; ``step`` is empty for the background."""

    at_us: int
    source_id: str
    record: bytes
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """An alert that must come of a step: of this rule, in this layer, naming ``entity``."""

    rule_id: str
    layer: Layer
    entity: str
    step: str


def plan(scenario: Scenario, start_us: int, seed: int, pace: float = 1.0) -> list[Shot]:
    """All shots in the order of time; ``pace`` stretches (over 1) or presses together (under 1) the whole campaign."""
    shots = _attack(scenario, start_us, seed, pace) + _background(scenario, start_us, seed, pace)
    return sorted(shots, key=lambda shot: shot.at_us)


def expected(scenario: Scenario) -> list[Expectation]:
    """What must be found, in the order of the story."""
    return [
        Expectation(rule_id=item.rule, layer=scenario.layers[step.source], entity=item.entity, step=step.id)
        for step in scenario.steps
        for item in step.expect
    ]


def first_shots(shots: list[Shot]) -> dict[str, int]:
    """When each step began: the time of its first record."""
    began: dict[str, int] = {}
    for shot in shots:
        if shot.step:
            began[shot.step] = min(shot.at_us, began.get(shot.step, shot.at_us))
    return began


def _attack(scenario: Scenario, start_us: int, seed: int, pace: float) -> list[Shot]:
    shots = []
    for step in scenario.steps:
        for nth, template in enumerate(step.records * step.repeat):
            at_us = start_us + int((step.at_s + nth * step.every_s) * pace * 1_000_000)
            values = _values(scenario, at_us, seed, f"{step.id}/{nth}")
            shots.append(_shot(step.source, template, values, step.id))
    return shots


def _background(scenario: Scenario, start_us: int, seed: int, pace: float) -> list[Shot]:
    random = Random(f"{seed}/background")  # noqa: S311  # a reproducible campaign, no secret
    shares = [kind.share for kind in scenario.background]
    kinds = random.choices(scenario.background, weights=shares, k=scenario.background_records)
    span_us = int(scenario.duration_s * pace * 1_000_000)
    return [
        _shot(kind.source, kind.record, _values(scenario, start_us + random.randint(0, span_us), seed, f"/{nth}"))
        for nth, kind in enumerate(kinds)
    ]


def _values(scenario: Scenario, at_us: int, seed: int, own: str) -> Values:
    return Values(
        at_us=at_us,
        seed=seed,
        random=Random(f"{seed}/{own}"),  # noqa: S311  # a reproducible campaign, no secret
        words=scenario.words,
        place=f"drill {scenario.name}, {own}",
    )


def _shot(source: str, template: Any, values: Values, step: str = "") -> Shot:
    filled = fill(template, values)
    record = str(filled).encode() if isinstance(template, str) else msgspec.json.encode(filled)
    return Shot(at_us=values.at_us, source_id=source, record=record, step=step)
