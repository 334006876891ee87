"""What people decided of rules, as detection reads it: a small file that follows the state database.

detect loads no database, and a change of this file is what makes a successor load. The one thing to know: the database
is the truth; the file is written again from it after every decision and whenever the console starts.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from soc_center.rule_library import RuleLibrary
from soc_model.problem import Problem
from soc_model.rule_state import RuleState
from soc_store.durable import publish


class StatesFile(msgspec.Struct, frozen=True, kw_only=True):
    """The state of each rule that somebody decided on, by rule id."""

    format: str = "fengsui-rule-states/1"
    states: dict[str, RuleState]


class Decided(Protocol):
    """What is used of ``soc_store.rule_decisions.RuleDecisions``."""

    def states(self) -> Mapping[str, RuleState]: ...


def write_states(library: RuleLibrary, decided: Decided) -> None:
    """Bring the file up to the database; left alone where it says the same, so that nothing is loaded in vain."""
    with library.turn():  # whoever writes last has read last
        states = dict(sorted(decided.states().items()))
        wanted, path = msgspec.json.encode(StatesFile(states=states)), library.states_file
        if path.read_bytes() == wanted if path.exists() else not states:
            return
        made = path.with_suffix(".new")
        made.write_bytes(wanted)
        publish(made, path)


def read_states(library: RuleLibrary) -> dict[str, RuleState]:
    """The states as detection shall know them; ``Problem`` when the file is damaged."""
    path = library.states_file
    try:
        return msgspec.json.decode(path.read_bytes(), type=StatesFile).states
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise Problem(str(path), f"cannot be read: {error}; fengsui up writes it again") from error
