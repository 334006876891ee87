"""Where everything of one center lies on disk: one data directory, made private to its owner."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from soc_store.durable import make_folder, sync_folder


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths of one data directory."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "fengsui.yml"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def outcomes(self) -> Path:
        return self.root / "outcomes"

    @property
    def quarantine(self) -> Path:
        """Journal batches with what cannot be decided, as ``OFFSET.blob``, and the account of each."""
        return self.root / "quarantine"

    @property
    def inbox(self) -> Path:
        """What collect is asked to bring in again."""
        return self.root / "inbox"

    @property
    def zones(self) -> Path:
        return self.root / "zones.yml"

    @property
    def references(self) -> Path:
        """Every reference that was in force, as ``ID.json``."""
        return self.root / "reference"

    @property
    def rule_library(self) -> Path:
        """The imported rules in versions, and what people decided of rules (``soc_center.rule_library``)."""
        return self.root / "rule-library"

    @property
    def rule_catalogue(self) -> Path:
        """Every rule document that detection has read, and what it does with it."""
        return self.root / "rule-catalogue.db"

    @property
    def dear_rules(self) -> Path:
        """Rules that were put aside because they cost too much (``soc_center.dear_rules``)."""
        return self.rule_library / "dear.json"

    @property
    def rule_proofs(self) -> Path:
        """The last self-proof of the rules (``soc_model.rule_proof.ProofReport``)."""
        return self.root / "rule-proofs.json"

    @property
    def indicators(self) -> Path:
        """Sets of indicators as ``ID.set``, which of them is in force, and what waits for import."""
        return self.root / "indicators"

    @property
    def compiled(self) -> Path:
        """Rules as they were compiled, and their catalogues: copies of what can be made again."""
        return self.root / "compiled"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def state(self) -> Path:
        return self.root / "state.db"

    @property
    def state_url(self) -> str:
        return f"sqlite:///{quote(str(self.state))}"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def drill(self) -> Path:
        return self.root / "drill"

    @property
    def metrics_token(self) -> Path:
        return self.root / "metrics.token"

    @property
    def checkpoints(self) -> Path:
        """Where signed checkpoints go unless the settings say otherwise: beside this folder, never in it."""
        return self.root.with_name(f"{self.root.name}-checkpoints")

    @property
    def secret_key(self) -> Path:
        """The key that one-time codes are sealed with: beside this folder, so that no copy of it has both."""
        return self.root.with_name(f"{self.root.name}-keys") / "one-time-codes"

    def make(self) -> "DataFolder":
        """This folder with all its parts there, also after a power cut, readable by its owner only."""
        parts = (self.journal, self.quarantine, self.outcomes, self.archive, self.run, self.log, self.drill)
        for folder in (self.root, *parts):
            make_folder(folder).chmod(0o700)
        sync_folder(self.root)  # who made the parts may have been killed before it synced their names
        return self
