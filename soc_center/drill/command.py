"""``fengsui drill``: plays the campaign against the running center and says what was found."""

import asyncio
from collections.abc import Sequence

from soc_center.drill.run import run
from soc_center.drill.sources import drill_files
from soc_center.evaluation import read_keys
from soc_center.folder import DataFolder
from soc_center.settings import Settings
from soc_center.system import SYSTEM
from soc_model.alert import Alert
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store.state import AlertFilter, State

ALERTS = 500


def play_drill(folder: DataFolder, settings: Settings, *, fast: bool, seed: int) -> int:
    """0 when every expected alert came, else 1; raises Problem where the drill cannot be played."""
    keys = read_keys(folder)
    if not keys:
        raise Problem(str(folder.settings), "has no drill sources; they are made by fengsui up --evaluation")
    state = State.open(folder.state_url, migrate=False)

    def alerts() -> Sequence[Alert]:
        query = AlertFilter(realms=(Realm.DRILL,))
        return state.alerts(SYSTEM, query, sort="last_seen", limit=ALERTS, cursor=None).alerts

    url = f"http://{settings.listen.intake}"
    try:
        return asyncio.run(run(url, keys, drill_files(folder.drill), alerts, say, fast, seed))
    finally:
        state.close()


def say(text: str) -> None:
    """A line of the drill for the person at the terminal."""
    print(text, flush=True)
