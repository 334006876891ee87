"""What a process does first that needs nothing but a data directory: find it, make it, say clearly what is wrong.

Apart from ``start``, which also reads the settings: their parser is memory that not every process shall carry.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from soc_center.folder import DataFolder
from soc_model.problem import Problem

USAGE = 2


def start_in(run: Callable[[DataFolder], None]) -> None:
    """Run a process on ``--data DIR``; a Problem is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    folder = DataFolder(parser.parse_args().data.resolve())
    os.umask(0o077)
    try:
        run(folder.make())
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr, flush=True)
        sys.exit(USAGE)
