"""The nouns of the rule library: a document with its place, what becomes of it, a refusal with its reason."""

from dataclasses import dataclass, field
from typing import Any

from detection_rules.condition import Node
from detection_rules.predicate import Predicate
from soc_model.correlation import Correlation
from soc_model.finding import RuleCard
from soc_model.layer import Level
from soc_model.rule_state import RuleState
from soc_model.source import Logsource


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDocument:
    """One YAML document of a rule file: ``path`` (``archive.zip!entry`` inside an archive) and its first line.

    ``shown`` is the path as people of the center see it: from the folder or archive that was named, not from the root.
    ``state``, ``min_level`` and ``title_zh`` are what the center says of it: in which state it is, below which level it
    is left out, and its Chinese title where it has none of its own.
    """

    path: str
    line: int
    text: str
    data: dict[str, Any]
    shown: str = ""
    state: RuleState = RuleState.ACTIVE
    min_level: Level = Level.INFORMATIONAL
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
    """A rule that can be evaluated: it fires when any of its variants holds.

    ``needs`` are the site's lists (``%name%``) that it asks for and nobody has declared; with no variants it waits for
    them in silence. ``filters`` are the ids of the filters that narrow it. Without ``alerts`` it has no findings of its
    own: what it finds only adds to correlations.
    """

    card: RuleCard
    logsource: Logsource
    variants: tuple[Variant, ...]
    path: str
    line: int
    needs: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    alerts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRule:
    """A correlation with its card and place; all that it builds on is loaded."""

    correlation: Correlation
    card: RuleCard
    path: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter (meta rule) that is applied; ``rules`` are the ids of the loaded rules that it narrows."""

    id: str
    title: str
    path: str
    line: int
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All that loads, all that does not and why; ``below_level`` and ``inactive`` count those left out on purpose.

    ``predicates`` numbers every predicate that the rules' conditions name.
    """

    rules: list[Rule]
    refused: list[Refusal]
    below_level: int = 0
    inactive: int = 0
    predicates: dict[Predicate, int] = field(default_factory=dict)
    correlations: list[CorrelationRule] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)

    def unsourced(self, provided: list[Logsource]) -> list[Rule]:
        """The rules that no event of the given logsources can reach: loaded, free of cost, and silent."""
        return [
            rule
            for rule in self.rules
            if rule.variants
            and not any(variant.logsource.covers(event) for variant in rule.variants for event in provided)
        ]

    def waiting(self) -> dict[str, list[Rule]]:
        """The site's lists that rules ask for and nobody has declared, each with those rules."""
        names = sorted({name for rule in self.rules for name in rule.needs})
        return {name: [rule for rule in self.rules if name in rule.needs] for name in names}
