"""The drill's story as data: steps of an attack with their records, benign background, and what must be found.

Comes from ``scenario.yml`` and ``background.yml`` beside this file; unknown keys and sources are refused.
"""

from pathlib import Path
from typing import Any

import msgspec
import yaml

from soc_model.layer import Layer
from soc_model.problem import Problem

HERE = Path(__file__).resolve().parent


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that must fire on the step, and a value that its alert must name among its entities."""

    rule: str
    entity: str


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One move of the attacker: all ``records``, ``repeat`` times over, ``every_s`` apart, from second ``at_s`` on."""

    id: str
    at_s: float
    source: str
    technique: str
    name: str
    name_zh: str
    story: str
    story_zh: str
    records: list[str | dict[str, Any]]
    expect: list[Expected] = []
    repeat: int = 1
    every_s: float = 0.2


class Background(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of benign record; ``share`` is how often it comes beside the others."""

    source: str
    share: int
    record: str | dict[str, Any]


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole drill; ``layers`` gives the layer of each source, ``words`` the lists that placeholders pick from."""

    name: str
    name_zh: str
    duration_s: float
    background_records: int
    layers: dict[str, Layer]
    words: dict[str, list[str | dict[str, str | int | float]]]
    steps: list[Step]
    background: list[Background]


def load_scenario(folder: Path = HERE) -> Scenario:
    """The scenario of a folder with ``scenario.yml`` and ``background.yml``; raises ``Problem`` with the place."""
    story, quiet = _read(folder / "scenario.yml"), _read(folder / "background.yml")
    try:
        scenario = msgspec.convert(story | quiet, Scenario)
    except msgspec.ValidationError as error:
        raise Problem(str(folder), str(error)) from error
    _check(scenario, str(folder))
    return scenario


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise Problem(str(path), str(error)) from error
    if not isinstance(document, dict):
        raise Problem(str(path), "not a mapping")
    return document


def _check(scenario: Scenario, place: str) -> None:
    sources = {step.source for step in scenario.steps} | {kind.source for kind in scenario.background}
    if unknown := sorted(sources - scenario.layers.keys()):
        raise Problem(place, f"unknown sources {', '.join(unknown)}; known are {', '.join(sorted(scenario.layers))}")
    ids = [step.id for step in scenario.steps]
    if len(set(ids)) != len(ids) or "" in ids:
        raise Problem(place, "step ids must be unique and not empty")
    late = [step.id for step in scenario.steps if not 0 <= step.at_s <= scenario.duration_s]
    if late:
        raise Problem(place, f"outside of the drill's duration: {', '.join(late)}")
