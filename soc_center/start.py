"""What every process does first: find its data directory, read its settings, say clearly what is wrong with them."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from soc_center.folder import DataFolder
from soc_center.settings import Settings, read_settings
from soc_model.problem import Problem

USAGE = 2


def start(run: Callable[[DataFolder, Settings], None]) -> None:
    """Run a process on ``--data DIR``; a Problem is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    folder = DataFolder(parser.parse_args().data.resolve())
    os.umask(0o077)
    try:
        run(folder.make(), read_settings(folder.settings))
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr, flush=True)
        sys.exit(USAGE)
