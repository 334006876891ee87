"""One rule document as the rule library lists it: what it is, and what the center does with it.

Every document that was read is one entry, whether it runs or not, so that nothing is missing silently.
"""

from enum import StrEnum

import msgspec

from soc_model.finding import RuleCard
from soc_model.layer import Level
from soc_model.rule_state import RuleOrigin, RuleState


class Standing(StrEnum):
    """What detection does with a rule document."""

    RUNS = "runs"  # it is evaluated (state test or active)
    IDLE = "idle"  # its state says: not now (draft or retired)
    BELOW = "below"  # it is imported and below the level that the settings ask for
    REFUSED = "refused"  # it cannot be evaluated; the reason says why


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """``state`` is the one detection knows, ``first_state`` the one it has where nobody decides.

    ``no_source``: it runs, but no configured source can feed it. ``needs`` names what the site must fill in first.
    ``techniques`` are its tags that name techniques of ATT&CK (``attack.t1059.001``).
    ``layer`` is the folder of a rule of ours, empty for others.
    """

    id: str
    title: str
    level: Level
    origin: RuleOrigin
    state: RuleState
    first_state: RuleState
    standing: Standing
    content_sha256: str
    path: str
    line: int
    title_zh: str = ""
    status: str = ""
    product: str = ""
    category: str = ""
    service: str = ""
    layer: str = ""
    kind: str = "rule"
    reason: str = ""
    no_source: bool = False
    needs: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()

    @property
    def logsource(self) -> str:
        """``windows/process_creation``: what of it the rule names."""
        return "/".join(part for part in (self.product, self.category, self.service) if part)


class RuleWhole(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with its text; ``card`` is None where it was refused or is not evaluated."""

    entry: RuleEntry
    text: str
    card: RuleCard | None = None


class CatalogueHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a catalogue of rules was made of: the snapshot that runs, the library's version (0: none), and when."""

    snapshot: str
    made: int
    library: int = 0
    library_sha256: str = ""
