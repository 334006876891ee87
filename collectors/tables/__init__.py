"""Facts that formats share, as data: read once when a format is loaded."""

from pathlib import Path
from typing import Any

import yaml


def read_table(name: str) -> Any:
    """The content of ``tables/NAME.yml``."""
    return yaml.safe_load((Path(__file__).parent / f"{name}.yml").read_text("utf-8"))
