"""The catalogue of rules that a detect process leaves: made while it loads, shown once its rules are those that run."""

import os

from soc_center.folder import DataFolder
from soc_center.gauge import is_running, now_us
from soc_center.rule_library import RuleLibrary
from soc_center.rules_loading import LoadedRules
from soc_model.rule_entry import CatalogueHead
from soc_store.durable import publish
from soc_store.rule_catalogue import give_head


class CatalogueFile:
    """The catalogue that this process makes and, when its turn comes, puts in place of the one before."""

    def __init__(self, folder: DataFolder) -> None:
        self._final = folder.rule_catalogue
        self._library = RuleLibrary(folder.rule_library)
        self._made = self._final.with_name(f"{self._final.name}.{os.getpid()}")

    def make(self, loaded: LoadedRules) -> None:
        """Write it beside the one that people see."""
        self._forget_others()
        active = self._library.active()
        about = self._library.about(active.version) if active.version else None
        head = CatalogueHead(
            snapshot=loaded.snapshot.id,
            made=now_us(),
            library=active.version,
            library_sha256=about.sha256 if about is not None else "",
        )
        self._made.unlink(missing_ok=True)
        with os.fdopen(os.open(self._made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(loaded.catalogue)
        give_head(self._made, head)

    def _forget_others(self) -> None:
        """Remove what processes left that ended before their turn."""
        for path in self._final.parent.glob(f"{self._final.name}.*"):
            pid = path.name.rpartition(".")[2]
            if pid.isdigit() and not is_running(int(pid)):
                path.unlink(missing_ok=True)

    def publish(self) -> None:
        """Show it."""
        publish(self._made, self._final)
