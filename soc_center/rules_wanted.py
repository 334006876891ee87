"""All that decides, beside the rules' own bytes, which rules of a center run: plain data, to be kept and compared."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from soc_center.folder import DataFolder
from soc_center.rule_library import RuleLibrary
from soc_center.rule_paths import RulesAt, rule_paths
from soc_center.rule_states import read_states
from soc_center.settings import Settings
from soc_model.layer import Level
from soc_model.rule_state import RuleOrigin, RuleState


class Place(NamedTuple):
    """``RulesAt`` as it is kept."""

    path: str
    origin: RuleOrigin

    @property
    def at(self) -> RulesAt:
        """The same with a path."""
        return RulesAt(Path(self.path), self.origin)


class RulesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Where rules are, the states that people put them in, and the least level of imported ones."""

    places: tuple[Place, ...]
    states: dict[str, RuleState] = {}
    min_level: Level = Level.INFORMATIONAL


def rules_wanted(folder: DataFolder, settings: Settings, *, library: Path | None = None) -> RulesWanted:
    """What the settings and people say; with ``library`` that archive in the place of the one that runs.

    ``Problem`` where one of the library's small files is damaged.
    """
    kept = RuleLibrary(folder.rule_library)
    paths = rule_paths(folder, settings.detection)
    if library is not None:
        running = kept.rules_path()
        paths = [*(each for each in paths if each.path != running), RulesAt(library, RuleOrigin.IMPORTED)]
    return RulesWanted(
        places=tuple(Place(str(path), origin) for path, origin in paths),
        states=read_states(kept),
        min_level=settings.detection.min_level,
    )
