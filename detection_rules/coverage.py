"""ATT&CK coverage (攻击技术覆盖): for each technique the rules there are, those that a source feeds, those that fired.

Comes in: the table of techniques, rules with their tags, alerts by rule. Goes out: one row a technique, and the same as
a layer of ATT&CK Navigator. The one thing to know: a rule that names a sub-technique covers its technique too, but a
rule that names only the technique covers none of its sub-techniques.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

TABLE = Path(__file__).parent / "attack" / "techniques.json"
_TAG = re.compile(r"attack\.(t[0-9]{4}(?:\.[0-9]{3})?)")


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """One technique or sub-technique of MITRE ATT&CK, as facts."""

    id: str
    name: str
    tactics: tuple[str, ...]
    platforms: tuple[str, ...]


class AttackTable(msgspec.Struct, frozen=True, kw_only=True):
    """All techniques; ``tactics`` are the tactics' short names in the order of the matrix."""

    techniques: list[Technique]
    tactics: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveringRule:
    """What coverage needs of a rule: ``live`` when a source feeds it now."""

    id: str
    title: str
    tags: tuple[str, ...]
    live: bool


class TechniqueCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How a technique stands: rules in all, of those fed by a live source, of those with alerts; and the alerts."""

    id: str
    name: str
    tactics: tuple[str, ...]
    platforms: tuple[str, ...]
    rules: int = 0
    live: int = 0
    fired: int = 0
    alerts: int = 0
    rule_ids: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """``fired``, ``live``, ``present`` (no source feeds its rules) or ``none``."""
        return "fired" if self.fired else "live" if self.live else "present" if self.rules else "none"


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """All techniques in the order of the table. ``unknown``: technique tags of rules that the table does not have."""

    techniques: list[TechniqueCoverage]
    tactics: list[str]
    unknown: dict[str, int]

    def of_tactic(self, tactic: str) -> list[TechniqueCoverage]:
        """The techniques of one column of the matrix, sub-techniques behind theirs."""
        return [one for one in self.techniques if tactic in one.tactics]

    def count(self, *states: str) -> int:
        """How many techniques are in one of the states."""
        return sum(one.state in states for one in self.techniques)


def read_table(path: Path = TABLE) -> AttackTable:
    """The techniques that come with the product."""
    data = msgspec.json.decode(path.read_bytes())
    tactics = [one if isinstance(one, str) else one["short_name"] for one in data["tactics"]]
    return AttackTable(techniques=msgspec.convert(data["techniques"], list[Technique]), tactics=tactics)


def superseded(table: AttackTable) -> frozenset[str]:
    """The techniques that became sub-techniques of others and kept their names; ATT&CK shows them no more."""
    subs = {one.name for one in table.techniques if "." in one.id}
    return frozenset(one.id for one in table.techniques if "." not in one.id and one.name in subs)


def techniques_of(tags: Iterable[str]) -> set[str]:
    """The techniques that Sigma tags (``attack.t1059.001``) name, and those that these belong to; upper case."""
    named = {found[1].upper() for tag in tags if (found := _TAG.fullmatch(tag.lower()))}
    return named | {name.partition(".")[0] for name in named}


def coverage(table: AttackTable, rules: Sequence[CoveringRule], alerts: Mapping[str, int]) -> Coverage:
    """How each technique stands; ``alerts`` is how many alerts each rule has, by rule id."""
    by_technique: dict[str, list[CoveringRule]] = {}
    for rule in rules:
        for name in techniques_of(rule.tags):
            by_technique.setdefault(name, []).append(rule)
    known = {technique.id for technique in table.techniques}
    return Coverage(
        techniques=[_covered(one, by_technique.get(one.id, ()), alerts) for one in table.techniques],
        tactics=table.tactics,
        unknown={name: len(found) for name, found in sorted(by_technique.items()) if name not in known},
    )


def _covered(technique: Technique, rules: Sequence[CoveringRule], alerts: Mapping[str, int]) -> TechniqueCoverage:
    return TechniqueCoverage(
        **msgspec.structs.asdict(technique),
        rules=len(rules),
        live=sum(rule.live for rule in rules),
        fired=sum(alerts.get(rule.id, 0) > 0 for rule in rules),
        alerts=sum(alerts.get(rule.id, 0) for rule in rules),
        rule_ids=tuple(rule.id for rule in rules),
    )


#: Colours of the layer's legend; score 0 to 3 by state.
_STATES = {"none": "#ffffff", "present": "#f2d492", "live": "#7fb7be", "fired": "#2f6690"}


def navigator_layer(found: Coverage, name: str, made: str) -> dict[str, Any]:
    """A layer of ATT&CK Navigator (layer format 4.5); ``made`` is when, as text. It has only techniques with rules.

    Score: 1 rules that no source feeds, 2 fed by a live source, 3 fired.
    """
    states = list(_STATES)
    return {
        "name": name,
        "versions": {"navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"Rules, live sources and alerts of {name} at {made}",
        "sorting": 3,
        "hideDisabled": False,
        "techniques": [_layer_row(one, states.index(one.state)) for one in found.techniques if one.rules],
        "gradient": {"colors": list(_STATES.values()), "minValue": 0, "maxValue": len(states) - 1},
        "legendItems": [{"label": state, "color": colour} for state, colour in _STATES.items() if state != "none"],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _layer_row(one: TechniqueCoverage, score: int) -> dict[str, Any]:
    counts = {"rules": one.rules, "live source": one.live, "fired": one.fired, "alerts": one.alerts}
    return {
        "techniqueID": one.id,
        "score": score,
        "color": _STATES[one.state],
        "comment": ", ".join(f"{name} {n}" for name, n in counts.items()),
        "enabled": True,
        "metadata": [{"name": name, "value": str(n)} for name, n in counts.items()],
        "showSubtechniques": False,
    }
