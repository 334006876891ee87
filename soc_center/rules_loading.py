"""The center's rules from disk, compiled; and when what is there is too broken to follow what runs."""

import gc

from detection_rules.compiled import Compiled
from detection_rules.snapshot import Snapshot
from soc_center.compiled_rules import CompiledRules
from soc_center.folder import DataFolder
from soc_center.rule_paths import rule_paths
from soc_center.settings import Detection, Settings
from soc_model.problem import Problem


def load_snapshot(folder: DataFolder, settings: Settings, *, follows: bool = False) -> Snapshot:
    """Our own rules and those the settings name, compiled; refused ones are in ``refused``.

    ``follows`` a snapshot that works: ``Problem`` for a path that gives no rule document at all (emptied, unreadable,
    a damaged archive), because then the old rules are better than what is left. A single wrong rule never does that.
    """
    gc.disable()  # hundreds of thousands of objects come and all of them stay: looking through them doubles the time
    try:
        return _compiled(folder, settings.detection, follows=follows).snapshot()
    finally:
        gc.enable()


def _compiled(folder: DataFolder, detection: Detection, *, follows: bool) -> Compiled:
    compiled = CompiledRules(folder.compiled).get(rule_paths(detection), detection.min_level)
    if follows:
        for path, why in compiled.empty.items():
            raise Problem(path, why)
        if not compiled.ruleset.rules:
            raise Problem("detection.rules", f"not one rule loads; {len(compiled.ruleset.refused)} are refused")
    return compiled
