"""What people do with rules in the console: decided in the state database, then taken over by detection."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from soc_api.rule_services import RuleServices
from soc_center.folder import DataFolder
from soc_center.gauge import now_us, read_gauge
from soc_center.proof_file import ProofFile
from soc_center.rule_library import RuleLibrary
from soc_center.rule_states import write_states
from soc_model.audit import Act
from soc_model.person import Actor
from soc_model.rule_library import LibraryVersion
from soc_model.rule_state import RuleDecision, RuleState
from soc_store.rule_catalogue import RuleCatalogue
from soc_store.state import State


class RuleActs:
    """The acts on the rules of one data directory; the supervisor sees the files change, and detection follows."""

    def __init__(self, folder: DataFolder, state: State) -> None:
        self._state, self.library = state, RuleLibrary(folder.rule_library)

    def decide(
        self, rule_id: str, state: RuleState, reason: str, *, first: RuleState, actor: Actor
    ) -> RuleDecision | None:
        """Put a rule into a state."""
        done = self._state.rules.decide(rule_id, state, reason, first=first, actor=actor, now=now_us())
        write_states(self.library, self._state.rules)
        return done

    def confirm(self, version: int, sha256: str, actor: Actor) -> LibraryVersion:
        """Let the version that waits run."""
        record = partial(self._record, Act.RULES_CONFIRMED, actor)
        return self.library.confirm(version, sha256, actor.name, now_us(), record)

    def refuse(self, version: int, actor: Actor) -> LibraryVersion:
        """Drop the version that waits."""
        return self.library.refuse(version, partial(self._record, Act.RULES_REFUSED, actor))

    def back(self, version: int | None, actor: Actor) -> int:
        """Let a kept version run again."""
        return self.library.back(version, actor.name, now_us(), partial(self._record, Act.RULES_BACK, actor))

    def _record(self, act: Act, actor: Actor, version: int) -> None:
        about = self.library.about(version)
        said = {} if about is None else {"sha256": about.sha256, "source": about.source}
        self._state.audit.record(act, actor, f"rule library version {version}", now_us(), **said)


def rule_services(folder: DataFolder, state: State) -> RuleServices:
    """Rules as the app may see and change them."""
    acts = RuleActs(folder, state)
    return RuleServices(
        catalogue=RuleCatalogue(folder.rule_catalogue),
        decisions=state.rules,
        hours=state.rule_hours,
        library=acts.library.state,
        decide=acts.decide,
        confirm=acts.confirm,
        refuse=acts.refuse,
        back=acts.back,
        proofs=ProofFile(folder.rule_proofs).proofs,
        shares=lambda: _shares(folder.run),
    )


def _shares(run: Path) -> Mapping[str, float]:
    """What detection tells of its dearest rules; nothing where it does not run."""
    gauge = read_gauge(run, "detect")
    found: Mapping[str, float] = gauge.values.get("rule_shares", {}) if gauge is not None else {}
    return found
