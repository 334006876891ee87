"""The catalogue of rules that a detect process leaves: made while it loads, shown once its rules are those that run."""

import os
from collections.abc import Sequence

from soc_center.folder import DataFolder
from soc_center.gauge import is_running, now_us
from soc_center.rule_entries import entries
from soc_center.rule_library import RuleLibrary
from soc_center.rules_loading import LoadedRules
from soc_model.rule_entry import CatalogueHead
from soc_model.source import Source
from soc_store.durable import publish
from soc_store.rule_catalogue import make_catalogue


class CatalogueFile:
    """The catalogue that this process makes and, when its turn comes, puts in place of the one before."""

    def __init__(self, folder: DataFolder) -> None:
        self._final = folder.rule_catalogue
        self._library = RuleLibrary(folder.rule_library)
        self._made = self._final.with_name(f"{self._final.name}.{os.getpid()}")

    def make(self, loaded: LoadedRules, sources: Sequence[Source]) -> None:
        """Write it beside the one that people see."""
        self._forget_others()
        snapshot, active = loaded.snapshot, self._library.active()
        about = self._library.about(active.version) if active.version else None
        head = CatalogueHead(
            snapshot=snapshot.id,
            made=now_us(),
            library=active.version,
            library_sha256=about.sha256 if about is not None else "",
        )
        make_catalogue(self._made, head, entries(loaded.read, snapshot.rules, snapshot.refused, sources))

    def _forget_others(self) -> None:
        """Remove what processes left that ended before their turn."""
        for path in self._final.parent.glob(f"{self._final.name}.*"):
            pid = path.name.rpartition(".")[2]
            if pid.isdigit() and not is_running(int(pid)):
                path.unlink(missing_ok=True)

    def publish(self) -> None:
        """Show it."""
        publish(self._made, self._final)
