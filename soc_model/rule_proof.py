"""Whether a rule would see what it looks for (规则自证): its source sends, its fields arrive, its canary fired."""

from enum import StrEnum

import msgspec


class Canary(StrEnum):
    """What became of the rule's own sample when it was sent through the center, in realm test."""

    FIRED = "fired"
    SILENT = "silent"  # it was sent and no alert came of it
    NONE = "none"  # the rule carries no sample that can be sent alone, or raises no alert of its own


class RuleProof(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule that runs stands. ``missing`` are fields it asks for that no event of its logsource had.

    ``seen`` counts the events of its logsource that were looked at; without any, nothing is said of fields.
    """

    rule_id: str
    live: bool
    seen: int = 0
    missing: tuple[str, ...] = ()
    canary: Canary = Canary.NONE

    @property
    def proved(self) -> bool:
        """Whether nothing speaks against it, and something for it."""
        return self.live and not self.missing and self.canary is not Canary.SILENT and self.seen > 0


class ProofReport(msgspec.Struct, frozen=True, kw_only=True):
    """All rules that run, as of ``at``; ``hours`` is how far back sources and fields were looked at."""

    format: str = "fengsui-rule-proofs"
    version: int = 1
    at: int
    hours: int
    proofs: list[RuleProof]
