"""What a state database is for: an evaluation, where one person holds every role, or real, with separated ones.

Written at the first start and never changed: what was tried out is not taken into service, nor the other way.
"""

from typing import Literal, get_args

from sqlalchemy import Connection, insert, select

from soc_model.problem import Problem
from soc_store.state_tables import meta

Mode = Literal["evaluation", "real"]


def read_mode(connection: Connection) -> Mode | None:
    """The mode; None before the first start."""
    found = connection.execute(select(meta.c.value).where(meta.c.name == "mode")).scalar()
    return next((mode for mode in get_args(Mode) if mode == found), None)


def claim_mode(connection: Connection, mode: Mode) -> None:
    """Make it that mode; raises Problem when it is the other."""
    found = read_mode(connection)
    if found is None:
        connection.execute(insert(meta).values(name="mode", value=mode))
    elif found != mode:
        raise Problem(str(connection.engine.url.database), REFUSALS[mode])


REFUSALS: dict[Mode, str] = {
    "evaluation": "belongs to a center that was set up for real; --evaluation never starts on it (use another --data)",
    "real": "belongs to an evaluation; start it with --evaluation, or a real center with another --data",
}
