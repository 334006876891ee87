"""Numbers of the state database that only grow, kept apart from the rows they number, so that none is used twice."""

from sqlalchemy import Connection, select, text, update

from soc_store.state_tables import sequence

_TAKE = text("UPDATE sequence SET last = last + :n WHERE name = :name RETURNING last")


def read_number(connection: Connection, name: str) -> int:
    """The last number of ``name``."""
    return int(connection.execute(select(sequence.c.last).where(sequence.c.name == name)).scalar_one())


def set_number(connection: Connection, name: str, last: int) -> None:
    """Put the last number of ``name``."""
    connection.execute(update(sequence).where(sequence.c.name == name).values(last=last))


def next_numbers(connection: Connection, name: str, n: int) -> int:
    """Take ``n`` numbers; the first of them."""
    return int(connection.execute(_TAKE, {"name": name, "n": n}).scalar_one()) - n + 1
