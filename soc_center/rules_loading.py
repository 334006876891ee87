"""The center's rules from disk, compiled; and when what is there is too broken to follow what runs."""

from collections.abc import Sequence
from pathlib import Path

from detection_rules.library import Library, read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.rule_paths import rule_paths
from soc_center.settings import Settings
from soc_model.problem import Problem


def load_snapshot(settings: Settings, *, follows: bool = False) -> Snapshot:
    """Our own rules and those the settings name, compiled; refused ones are in ``refused``.

    ``follows`` a snapshot that works: ``Problem`` for a path that gives no rule document at all (emptied, unreadable,
    a damaged archive), because then the old rules are better than what is left. A single wrong rule never does that.
    """
    library = _library(rule_paths(settings.detection), follows=follows)
    ruleset = load_rules(
        library.documents,
        refused=library.refused,
        min_level=settings.detection.min_level,
        placeholders=site_values(settings),
    )
    if follows and not ruleset.rules:
        raise Problem("detection.rules", f"not one rule loads; {len(ruleset.refused)} are refused")
    return compile_snapshot(ruleset)


def site_values(settings: Settings) -> dict[str, list[str]]:
    """The site's lists by name, as rules ask for them."""
    return {name: list(map(str, values)) for name, values in settings.detection.placeholders.items()}


def _library(paths: Sequence[Path], *, follows: bool) -> Library:
    parts = [read_documents([path]) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if follows and not part.documents and not (path.is_file() and path.suffix != ".zip"):
            why = part.refused[0].reason if part.refused else "no rule in it"
            raise Problem(str(path), why)
    return Library(
        documents=[document for part in parts for document in part.documents],
        refused=[refusal for part in parts for refusal in part.refused],
    )
