"""What every process does first: find its data directory, read its settings, say clearly what is wrong with them."""

from collections.abc import Callable

from soc_center.folder import DataFolder
from soc_center.settings import Settings, read_settings
from soc_center.start_in import USAGE, start_in

__all__ = ["USAGE", "start"]


def start(run: Callable[[DataFolder, Settings], None]) -> None:
    """Run a process on ``--data DIR``; a Problem is one line on standard error and exit status 2."""

    def with_settings(folder: DataFolder) -> None:
        run(folder, read_settings(folder.settings))

    with_settings.__doc__ = run.__doc__
    start_in(with_settings)
