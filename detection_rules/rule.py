"""The nouns of the rule library: a document with its place, a rule ready to evaluate, a refusal with its reason."""

from dataclasses import dataclass, field
from typing import Any

from detection_rules.condition import Node
from detection_rules.predicate import Predicate
from soc_model.finding import RuleCard
from soc_model.rule_state import RuleState
from soc_model.source import Logsource


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDocument:
    """One YAML document of a rule file: ``path`` (``archive.zip!entry`` inside an archive) and its first line.

    ``shown`` is the path as people of the center see it: from the folder or archive that was named, not from the root.
    ``state`` and ``title_zh`` are what the center says of it: its state, its Chinese title where it gives none itself.
    """

    path: str
    line: int
    text: str
    data: dict[str, Any]
    shown: str = ""
    state: RuleState = RuleState.ACTIVE
    title_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a document or a file is not among the rules; ``rule_id`` and ``title`` as far as they are known."""

    path: str
    line: int
    reason: str
    rule_id: str = ""
    title: str = ""

    def __str__(self) -> str:
        name = f" {self.title!r}" if self.title else ""
        return f"{self.path}:{self.line}:{name} {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way in which a rule sees events: the logsource they must have, and its condition in their field names.

    ``renamed`` gives for a field of the rule the name these events have for it.
    """

    logsource: Logsource
    condition: Node
    renamed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that can be evaluated: it fires when any of its variants holds."""

    card: RuleCard
    logsource: Logsource
    variants: tuple[Variant, ...]
    path: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules that load, all that do not and why; ``below_level`` counts those left out by the level asked for.

    ``predicates`` numbers every predicate that the rules' conditions name.
    """

    rules: list[Rule]
    refused: list[Refusal]
    below_level: int = 0
    predicates: dict[Predicate, int] = field(default_factory=dict)

    def unsourced(self, provided: list[Logsource]) -> list[Rule]:
        """The rules that no event of the given logsources can reach: loaded, free of cost, and silent."""
        return [
            rule
            for rule in self.rules
            if not any(variant.logsource.covers(event) for variant in rule.variants for event in provided)
        ]
