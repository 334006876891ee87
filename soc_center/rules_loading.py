"""The center's rules, compiled; and when what is there is too broken to follow what runs.

Light where the compiled rules are kept already: then no rule document is read, and nothing that could read one loaded.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from detection_rules.compiled import Compiled
from detection_rules.snapshot import Snapshot
from soc_center.compiled_rules import CompiledRules
from soc_center.folder import DataFolder
from soc_center.rule_choice import center_choice
from soc_center.rule_paths import rule_paths
from soc_center.settings import Settings
from soc_model.problem import Problem


class LoadedRules(NamedTuple):
    """The rules of a center: ready to decide, and the catalogue of every document, as the bytes of its file."""

    snapshot: Snapshot
    catalogue: bytes


def load_center_rules(folder: DataFolder, settings: Settings, *, follows: bool = False) -> LoadedRules:
    """Our own rules, those the settings name and the library, each in its state, compiled.

    ``follows`` a snapshot that works: ``Problem`` for a path that gives no rule document at all (emptied, unreadable,
    a damaged archive), because then the old rules are better than what is left. A single wrong rule never does that.
    """
    choice = center_choice(folder, settings, rule_paths(folder, settings.detection))
    with all_stays():
        made = CompiledRules(folder.compiled).get(choice)
        if follows:
            _check(made.compiled)
        return LoadedRules(made.compiled.snapshot(), made.catalogue)


@contextmanager
def all_stays() -> Iterator[None]:
    """For a time in which hundreds of thousands of objects come and none goes: looking through them doubles it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check(compiled: Compiled) -> None:
    """``Problem`` where these rules must not take the place of others."""
    for path, why in compiled.empty.items():
        raise Problem(path, why)
    if not compiled.ruleset.rules:
        raise Problem("detection.rules", f"not one rule loads; {len(compiled.ruleset.refused)} are refused")
