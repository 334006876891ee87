"""Where the rules of a center are: ours, the site's, and the imported library. Light: the supervisor looks too."""

from pathlib import Path
from typing import NamedTuple

from soc_center.folder import DataFolder
from soc_center.rule_library import RuleLibrary
from soc_center.settings import Detection, RulePath
from soc_model.rule_state import RuleOrigin

OWN_RULES = Path(__file__).parents[1] / "detection_rules" / "rules"


class RulesAt(NamedTuple):
    """A folder, archive or file of rules, and who wrote them."""

    path: Path
    origin: RuleOrigin


def rule_paths(folder: DataFolder, detection: Detection) -> list[RulesAt]:
    """Ours first, then those that the settings name, then the library; ``Problem`` when its active file is damaged."""
    imported = RuleLibrary(folder.rule_library).rules_path()
    return [
        RulesAt(OWN_RULES, RuleOrigin.OURS),
        *(_named(each) for each in detection.rules),
        *([RulesAt(imported, RuleOrigin.IMPORTED)] if imported is not None else []),
    ]


def _named(entry: str | RulePath) -> RulesAt:
    """An archive comes from others, a folder or file is the site's own, unless the settings say otherwise."""
    if isinstance(entry, RulePath):
        return RulesAt(Path(entry.path), RuleOrigin.IMPORTED if entry.imported else RuleOrigin.SITE)
    path = Path(entry)
    return RulesAt(path, RuleOrigin.IMPORTED if path.suffix == ".zip" else RuleOrigin.SITE)
