"""Makes a data directory ready before any process starts: the state at this release's schema, its mode, first links.

A process of its own, so that the supervisor stays small. Tokens never pass through here, only their SHA-256. Comes in:
the mode, and for each role that may need one the digest of a link. Goes out (standard output): the roles that took it.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.rule_library import RuleLibrary
from soc_center.rule_states import write_states
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.right import Role
from soc_store.mode import Mode
from soc_store.secret_box import open_box
from soc_store.state import State

LINK_US = 15 * 60 * 1_000_000
TERMINAL = Actor(name="terminal")
EVALUATION = "evaluation"
USAGE = 2


def prepare(folder: DataFolder, mode: Mode, links: Mapping[str, str]) -> list[str]:
    """Migrate the state (backed up first where it changes), claim it, keep links that live 15 minutes; who took one.

    Raises Problem where the data directory belongs to the other mode.
    """
    state = State.open(folder.state_url, migrate=True)
    try:
        state.claim_mode(mode)
        write_states(RuleLibrary(folder.rule_library), state.rules)
        open_box(folder.secret_key, may_make=not any(one.set_up for one in state.people.all()))
        if mode == EVALUATION:
            for digest in links.values():
                state.make_link(digest, EVALUATION, now_us() + LINK_US)
            return list(links)
        return _administrators(state, links)
    finally:
        state.close()


def _administrators(state: State, links: Mapping[str, str]) -> list[str]:
    """The roles in which nobody can act yet, and for which there is a link now."""
    now = now_us()
    waiting = {role: one for role, one in state.people.make_first(now).items() if role in links}
    for role, one in waiting.items():
        state.people.invite(one.id, links[role], now + LINK_US, TERMINAL, now)
    return [role.value for role in waiting]


def main() -> None:
    """``python -m soc_center.prepare --data DIR --mode MODE [--link ROLE=SHA256 …]``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mode", choices=("evaluation", "real"), required=True)
    parser.add_argument("--link", action="append", default=[])
    arguments = parser.parse_args()
    links = dict(each.split("=", 1) for each in arguments.link)
    known = {EVALUATION, *(role.value for role in Role)}
    try:
        if unknown := set(links) - known:
            raise Problem("--link", f"no role {', '.join(sorted(unknown))}")
        print("\n".join(prepare(DataFolder(arguments.data.resolve()).make(), arguments.mode, links)))
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
