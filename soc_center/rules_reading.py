"""Rule documents of a center, each with the state it is in: what is to be evaluated, and what is left out and why.

Comes in: what is wanted. Goes out: documents in reading order. The one thing to know: every document is here, also one
that is not evaluated, so that nothing is missing where people look.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import yaml

from detection_rules.library import read_documents
from detection_rules.rule import Refusal, RuleDocument, RuleSet
from detection_rules.ruleset import load_rules
from soc_center.rule_paths import OWN_RULES
from soc_center.rules_wanted import RulesWanted
from soc_model.layer import Level
from soc_model.problem import Problem
from soc_model.rule_state import RuleOrigin, RuleState, first_state

TITLES_ZH = OWN_RULES.parent / "titles_zh.yml"


class Placed(NamedTuple):
    """A rule document, who wrote it, the state it begins in, and whether its level leaves it out."""

    document: RuleDocument
    origin: RuleOrigin
    first: RuleState
    below: bool

    @property
    def left_out(self) -> bool:
        """Whether it is not to find anything itself."""
        return self.below or not self.document.state.evaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRules:
    """All documents, what could not be read, and the paths without any document, with the reasons."""

    placed: list[Placed] = field(default_factory=list)
    refused: list[tuple[Refusal, RuleOrigin]] = field(default_factory=list)
    empty: dict[str, str] = field(default_factory=dict)

    def load(self) -> RuleSet:
        """Those that are to be evaluated; those below the level are read far enough to refuse what is wrong in them."""
        wanted = [each.document for each in self.placed if not each.left_out]
        low = [each.document for each in self.placed if each.below and each.document.state.evaluated]
        found = load_rules(wanted, refused=[refusal for refusal, _ in self.refused])
        below = load_rules(low, min_level=Level.CRITICAL)  # the highest: none of them is more than looked at
        return replace(found, refused=[*found.refused, *below.refused], below_level=below.below_level)


def read_rules(wanted: RulesWanted) -> ReadRules:
    """The documents under the wanted places; ``Problem`` for a path that is not there."""
    titles, found = read_titles(TITLES_ZH), ReadRules()
    for path, origin in (place.at for place in wanted.places):
        library = read_documents([path])
        if not library.documents and not (path.is_file() and path.suffix != ".zip"):
            found.empty[str(path)] = library.refused[0].reason if library.refused else "no rule in it"
        found.placed.extend(_place(library.documents, origin, wanted, titles))
        found.refused.extend((refusal, origin) for refusal in library.refused)
    return found


def _place(
    documents: Sequence[RuleDocument], origin: RuleOrigin, wanted: RulesWanted, titles: Mapping[str, str]
) -> Iterator[Placed]:
    for document in documents:
        rule_id = id_of(document)
        first = first_state(origin, str(document.data.get("status", "")))
        said = replace(document, state=wanted.states.get(rule_id, first), title_zh=titles.get(rule_id, ""))
        # A filter has no level; it is for rules that have.
        below = origin is RuleOrigin.IMPORTED and "filter" not in document.data
        yield Placed(said, origin, first, below and level_of(document).rank < wanted.min_level.rank)


def level_of(document: RuleDocument) -> Level:
    """The level that the document states, informational where it states none."""
    said = str(document.data.get("level", ""))
    return Level(said) if said in set(Level) else Level.INFORMATIONAL


def id_of(document: RuleDocument) -> str:
    """The id under which the document's rule is known: its own, or one made of its text."""
    own = document.data.get("id")
    return str(own) if own is not None else sha256(document.text.encode()).hexdigest()[:32]


def read_titles(path: Path) -> dict[str, str]:
    """Chinese titles by rule id, for rules that have none of their own; ``Problem`` where it holds anything else."""
    found = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    if not isinstance(found, dict) or not all(isinstance(part, str) for pair in found.items() for part in pair):
        raise Problem(str(path), "must give a title for each rule id")
    return found
