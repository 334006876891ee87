"""Rules as the app may see and change them: what was read, what people decided, and the library with its versions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from soc_model.person import Actor
from soc_model.rule_entry import CatalogueHead, RuleEntry, RuleWhole
from soc_model.rule_library import LibraryState, LibraryVersion
from soc_model.rule_proof import RuleProof
from soc_model.rule_state import RuleDecision, RuleHour, RuleState
from soc_model.scope import Scope


class Catalogue(Protocol):
    """What is used of ``soc_store.rule_catalogue.RuleCatalogue``."""

    def head(self) -> CatalogueHead | None: ...
    def entries(self) -> Sequence[RuleEntry]: ...
    def whole(self, rule_id: str) -> RuleWhole | None: ...


class Decisions(Protocol):
    """What is used of ``soc_store.rule_decisions.RuleDecisions``."""

    def states(self) -> Mapping[str, RuleState]: ...
    def decisions(self, rule_id: str, limit: int = 50) -> Sequence[RuleDecision]: ...


class Hours(Protocol):
    """What is used of ``soc_store.rule_hours.RuleHours``."""

    def found(self, scope: Scope, since: int) -> Mapping[str, int]: ...
    def hours(self, scope: Scope, rule_id: str, since: int) -> Sequence[RuleHour]: ...


class Decide(Protocol):
    """Puts a rule into a state and has detection take it over; None when it is in it already; may raise Problem."""

    def __call__(
        self, rule_id: str, state: RuleState, reason: str, *, first: RuleState, actor: Actor
    ) -> RuleDecision | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleServices:
    """``confirm`` takes the version and its SHA-256, so that what runs is what was looked at; ``back`` a version, or
    None for the one before. All of them keep an entry of the audit record, and may raise Problem. ``proofs`` and
    ``shares`` are by rule id: its last self-proof, and its own share of detection's time (those that have any)."""

    catalogue: Catalogue
    decisions: Decisions
    hours: Hours
    library: Callable[[], LibraryState]
    decide: Decide
    confirm: Callable[[int, str, Actor], LibraryVersion]
    refuse: Callable[[int, Actor], LibraryVersion]
    back: Callable[[int | None, Actor], int]
    proofs: Callable[[], Mapping[str, RuleProof]]
    shares: Callable[[], Mapping[str, float]]
