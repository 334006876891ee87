"""Where the rules of a center are: our own, and what the settings name. Light, so that the supervisor can look."""

from pathlib import Path

from soc_center.settings import Detection

OWN_RULES = Path(__file__).parents[1] / "detection_rules" / "rules"


def rule_paths(detection: Detection) -> list[Path]:
    """Folders, archives and files of rules, ours first."""
    return [OWN_RULES, *(Path(path) for path in detection.rules)]
