"""The imported rules of a center (规则库): versions, what an update would change, and who let it in."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from soc_model.layer import Level
from soc_model.rule_state import RuleState

SHOWN = 2000  # rules of each kind that a difference names; all are counted


class LibraryVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One archive of rules as it was received: ``source`` is where from, ``proof`` why it is believed to be that."""

    version: int
    sha256: str
    size_bytes: int
    source: str
    proof: str
    staged: int
    staged_by: str
    rules: int = 0
    refused: int = 0


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """A version was made the one that runs; 0 is none at all."""

    version: int
    at: int
    by: str


class ChangedRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule in a difference, in the state in which it would be; ``why`` is the reason where it is refused."""

    id: str
    title: str
    level: Level
    title_zh: str = ""
    state: RuleState = RuleState.ACTIVE
    why: str = ""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that one kind of change touches: how many of each level, and the gravest of them by name."""

    by_level: dict[Level, int] = {}
    rules: list[ChangedRule] = []

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.by_level.values())


def changed(rules: Sequence[ChangedRule]) -> Changed:
    """The same rules counted, the gravest first, at most ``SHOWN`` of them named."""
    counted = Counter(rule.level for rule in rules)
    ordered = sorted(rules, key=lambda rule: (-rule.level.rank, rule.title, rule.id))
    return Changed(
        by_level={level: counted[level] for level in reversed(Level) if counted[level]}, rules=ordered[:SHOWN]
    )


class LibraryDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What a version would change: in the library (added, removed, changed, newly refused), and in what runs."""

    added: Changed = Changed()
    removed: Changed = Changed()
    changed: Changed = Changed()
    newly_refused: Changed = Changed()
    will_run: Changed = Changed()
    will_stop: Changed = Changed()


class PendingUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A version that waits to be confirmed or refused, and what it would change."""

    version: LibraryVersion
    diff: LibraryDiff


class LibraryState(msgspec.Struct, frozen=True, kw_only=True):
    """The library as it is: which version runs (0: none), those kept and every activation, newest first."""

    active: int
    versions: list[LibraryVersion]
    activations: list[Activation]
    pending: PendingUpdate | None = None
