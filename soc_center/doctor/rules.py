"""The rules: our own must all load; of those the settings name some may not, each with its reason."""

from collections.abc import Sequence
from pathlib import Path

from detection_rules.library import read_documents
from detection_rules.rule import Refusal
from detection_rules.ruleset import load_rules
from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn
from soc_model.problem import Problem

SHOWN = 3


def check_rules(whose: str, loaded: int, refused: Sequence[Refusal], fix: str) -> list[Diagnosis]:
    """Which rules are refused; the first few are named."""
    found = [warn("rules", f"refused: {refusal}", fix) for refusal in refused[:SHOWN]]
    if len(refused) > SHOWN:
        found.append(warn("rules", f"and {len(refused) - SHOWN} more of {whose}", fix))
    return found or [ok("rules", f"{loaded} of {whose} load, none refused")]


def look_at_rules(whose: str, paths: Sequence[Path]) -> list[Diagnosis]:
    """The rules under the paths, read as detection reads them."""
    fix = f"fengsui rules check {' '.join(map(str, paths))}"
    try:
        library = read_documents(paths)
    except Problem as problem:
        return [bad("rules", str(problem), "correct detection.rules in fengsui.yml")]
    ruleset = load_rules(library.documents, refused=library.refused)
    return check_rules(whose, len(ruleset.rules), ruleset.refused, fix)
