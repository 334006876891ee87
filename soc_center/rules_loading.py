"""The center's rules from disk, compiled; and when what is there is too broken to follow what runs."""

from typing import NamedTuple

from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center.folder import DataFolder
from soc_center.rules_reading import ReadRules, read_rules
from soc_center.rules_wanted import rules_wanted
from soc_center.settings import Settings
from soc_model.problem import Problem


class LoadedRules(NamedTuple):
    """The rules of a center: as they were read, and compiled."""

    read: ReadRules
    snapshot: Snapshot


def load_center_rules(folder: DataFolder, settings: Settings, *, follows: bool = False) -> LoadedRules:
    """Our own rules, those the settings name and the library, each in its state, compiled.

    ``follows`` a snapshot that works: ``Problem`` for a path that gives no rule document at all (emptied, unreadable,
    a damaged archive), because then the old rules are better than what is left. A single wrong rule never does that.
    """
    read = read_rules(rules_wanted(folder, settings))
    for path, why in read.empty.items() if follows else ():
        raise Problem(path, why)
    ruleset = read.load()
    if follows and not ruleset.rules:
        raise Problem("detection.rules", f"not one rule loads; {len(ruleset.refused)} are refused")
    return LoadedRules(read, compile_snapshot(ruleset))
