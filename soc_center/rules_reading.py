"""Rule documents from disk, each in the state it is in, and what of them is to be evaluated.

Comes in: what decides it all (``RuleChoice``). Goes out: every document, and why those that cannot be read cannot. The
one thing to know: what is put aside or must not be tried is a refusal with a reason, never just missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from detection_rules.library import Library, read_documents
from detection_rules.rule import Refusal, RuleDocument, RuleSet
from detection_rules.ruleset import load_rules
from soc_center.dear_rules import PutAside
from soc_center.rule_choice import RuleChoice
from soc_center.rule_paths import OWN_RULES
from soc_model.layer import Level
from soc_model.problem import Problem
from soc_model.rule_state import RuleOrigin, RuleState, first_state

TITLES_ZH = OWN_RULES.parent / "titles_zh.yml"


class Placed(NamedTuple):
    """A rule document with the state it is in, and who wrote it."""

    document: RuleDocument
    origin: RuleOrigin
    first: RuleState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRules:
    """Every document with its state, and what could not be read or is not to be tried.

    ``empty``: paths that hold no document, and why. ``read``: documents and unreadable files by path.
    """

    placed: list[Placed]
    refused: list[tuple[Refusal, RuleOrigin]]
    site: dict[str, list[str]]
    empty: dict[str, str]
    read: dict[str, int]

    def refusing(self, reasons: Mapping[int, str]) -> "ReadRules":
        """The same without the documents of these numbers, which are refused for these reasons."""
        more = [(self.placed[number], why) for number, why in reasons.items()]
        return replace(self, refused=[*self.refused, *((_refusal(one.document, why), one.origin) for one, why in more)])

    def wanted(self) -> dict[int, RuleDocument]:
        """Those that are to be evaluated, by their number among all."""
        places = {(refusal.path, refusal.line) for refusal, _ in self.refused}
        parts = {name for each in self.placed for name in correlated_by(each.document)}
        return {
            number: each.document
            for number, each in enumerate(self.placed)
            if (each.document.path, each.document.line) not in places
            and (each.document.state.evaluated or not parts.isdisjoint(names_of(each.document)))
        }

    def load(self, documents: Sequence[RuleDocument]) -> RuleSet:
        """The rules of these documents, with all that is refused."""
        refused = [refusal for refusal, _ in self.refused]
        inactive = {id_of(document) for document in documents if not document.state.evaluated}
        return load_rules(documents, refused=refused, placeholders=self.site, inactive=inactive)


def read_rules(choice: RuleChoice) -> ReadRules:
    """The documents at the paths; raises ``Problem`` where a path is not there."""
    titles = read_titles(TITLES_ZH)
    placed: list[Placed] = []
    refused: list[tuple[Refusal, RuleOrigin]] = []
    empty: dict[str, str] = {}
    read: dict[str, int] = {}
    for path, origin in choice.paths:
        library = read_documents([Path(path)])
        if not library.documents and not (Path(path).is_file() and Path(path).suffix != ".zip"):
            empty[path] = library.refused[0].reason if library.refused else "no rule in it"
        placed += _as_written(library, choice) if choice.as_written else _place(library, origin, choice, titles)
        refused += [(refusal, origin) for refusal in library.refused]
        read[path] = len(library.documents) + len(library.refused)
    found = ReadRules(placed=placed, refused=refused, site=choice.site, empty=empty, read=read)
    return found.refusing(dict(_too_dear(placed, choice.aside)))


def _too_dear(placed: Sequence[Placed], aside: Mapping[str, PutAside]) -> Iterator[tuple[int, str]]:
    """The documents that were put aside because they cost too much."""
    for number, one in enumerate(placed) if aside else ():
        found = aside.get(sha256(one.document.text.encode()).hexdigest())
        if found is not None:
            yield number, found.reason


def _refusal(document: RuleDocument, reason: str) -> Refusal:
    title = document.data.get("title")
    return Refusal(
        path=document.path,
        line=document.line,
        reason=reason,
        rule_id=id_of(document),
        title=title if isinstance(title, str) else "",
    )


def _as_written(library: Library, choice: RuleChoice) -> Iterator[Placed]:
    for document in library.documents:
        yield Placed(replace(document, min_level=choice.min_level), RuleOrigin.OURS, RuleState.ACTIVE)


def _place(library: Library, origin: RuleOrigin, choice: RuleChoice, titles: Mapping[str, str]) -> Iterator[Placed]:
    least = choice.min_level if origin is RuleOrigin.IMPORTED else Level.INFORMATIONAL
    parts = {name for document in library.documents for name in correlated_by(document)}
    for document in library.documents:
        rule_id = id_of(document)
        first = first_state(origin, str(document.data.get("status", "")))
        # A filter has no level, and a part of a correlation counts for the whole's level.
        exempt = "filter" in document.data or rule_id in parts or document.data.get("name") in parts
        said = replace(
            document,
            state=choice.states.get(rule_id, first),
            min_level=Level.INFORMATIONAL if exempt else least,
            title_zh=titles.get(rule_id, ""),
        )
        yield Placed(said, origin, first)


def correlated_by(document: RuleDocument) -> list[str]:
    """The names and ids of the rules that a correlation is made of."""
    correlation: Any = document.data.get("correlation")
    rules = correlation.get("rules") if isinstance(correlation, dict) else None
    return [each for each in rules if isinstance(each, str)] if isinstance(rules, list) else []


def names_of(document: RuleDocument) -> set[str]:
    """What a correlation may call the rule by."""
    return {id_of(document), str(document.data.get("name", ""))}


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
