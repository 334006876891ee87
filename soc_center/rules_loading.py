"""The center's rules from disk, compiled; and when what is there is too broken to follow what runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from detection_rules.library import read_documents
from detection_rules.rule import Refusal, RuleDocument, RuleSet
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.dear_rules import DearRules, PutAside
from soc_center.folder import DataFolder
from soc_center.rule_library import RuleLibrary
from soc_center.rule_paths import OWN_RULES, RulesAt, rule_paths
from soc_center.rule_states import read_states
from soc_center.settings import Settings
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
    """Every document of the center's rules with its state, and what could not be read."""

    placed: list[Placed]
    refused: list[tuple[Refusal, RuleOrigin]]
    site: dict[str, list[str]]

    def load(self) -> RuleSet:
        """Those that are to be evaluated."""
        refused = [refusal for refusal, _ in self.refused]
        places = {(refusal.path, refusal.line) for refusal in refused}
        parts = {name for each in self.placed for name in _correlated(each.document)}
        wanted = [
            each.document
            for each in self.placed
            if (each.document.path, each.document.line) not in places
            and (each.document.state.evaluated or not parts.isdisjoint(_names_of(each.document)))
        ]
        inactive = {id_of(document) for document in wanted if not document.state.evaluated}
        return load_rules(wanted, refused=refused, placeholders=self.site, inactive=inactive)


class LoadedRules(NamedTuple):
    """The rules of a center: as they were read, and compiled."""

    read: ReadRules
    snapshot: Snapshot


def load_center_rules(folder: DataFolder, settings: Settings, *, follows: bool = False) -> LoadedRules:
    """Our own rules, those the settings name and the library, each in its state, compiled.

    ``follows`` a snapshot that works: ``Problem`` for a path that gives no rule document at all (emptied, unreadable,
    a damaged archive), because then the old rules are better than what is left. A single wrong rule never does that.
    """
    read = read_center_rules(folder, settings, rule_paths(folder, settings.detection), follows=follows)
    ruleset = read.load()
    if follows and not ruleset.rules:
        raise Problem("detection.rules", f"not one rule loads; {len(ruleset.refused)} are refused")
    return LoadedRules(read, compile_snapshot(ruleset))


def read_center_rules(
    folder: DataFolder, settings: Settings, paths: Sequence[RulesAt], *, follows: bool = False
) -> ReadRules:
    """The documents under the paths, in the states that people decided on."""
    states, titles = read_states(RuleLibrary(folder.rule_library)), read_titles(TITLES_ZH)
    placed: list[Placed] = []
    refused: list[tuple[Refusal, RuleOrigin]] = []
    for path, origin in paths:
        library = read_documents([path])
        if follows and not library.documents and not (path.is_file() and path.suffix != ".zip"):
            why = library.refused[0].reason if library.refused else "no rule in it"
            raise Problem(str(path), why)
        least = settings.detection.min_level if origin is RuleOrigin.IMPORTED else Level.INFORMATIONAL
        placed += _place(library.documents, origin, states, titles, least)
        refused += [(refusal, origin) for refusal in library.refused]
    refused += _too_dear(placed, DearRules(folder.dear_rules).all())
    return ReadRules(placed=placed, refused=refused, site=site_values(settings))


def site_values(settings: Settings) -> dict[str, list[str]]:
    """The site's lists by name, as rules ask for them."""
    return {name: list(map(str, values)) for name, values in settings.detection.placeholders.items()}


def _too_dear(placed: Sequence[Placed], dear: Mapping[str, PutAside]) -> Iterator[tuple[Refusal, RuleOrigin]]:
    """The documents that were put aside because they cost too much."""
    for document, origin, _ in placed if dear else ():
        found = dear.get(sha256(document.text.encode()).hexdigest())
        if found is not None:
            refusal = Refusal(
                path=document.path,
                line=document.line,
                reason=found.reason,
                rule_id=id_of(document),
                title=str(document.data.get("title", "")),
            )
            yield refusal, origin


def _place(
    documents: Sequence[RuleDocument],
    origin: RuleOrigin,
    states: Mapping[str, RuleState],
    titles: Mapping[str, str],
    least: Level,
) -> Iterator[Placed]:
    parts = {name for document in documents for name in _correlated(document)}
    for document in documents:
        rule_id = id_of(document)
        first = first_state(origin, str(document.data.get("status", "")))
        # A filter has no level, and a part of a correlation counts for the whole's level.
        exempt = "filter" in document.data or rule_id in parts or document.data.get("name") in parts
        said = replace(
            document,
            state=states.get(rule_id, first),
            min_level=Level.INFORMATIONAL if exempt else least,
            title_zh=titles.get(rule_id, ""),
        )
        yield Placed(said, origin, first)


def _correlated(document: RuleDocument) -> list[str]:
    """The names and ids of the rules that a correlation is made of."""
    correlation: Any = document.data.get("correlation")
    rules = correlation.get("rules") if isinstance(correlation, dict) else None
    return [each for each in rules if isinstance(each, str)] if isinstance(rules, list) else []


def _names_of(document: RuleDocument) -> set[str]:
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
