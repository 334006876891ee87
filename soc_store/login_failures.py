"""Failed sign-ins, counted by name and by address in the store, so that a restart forgives nothing.

A name is counted whether anybody has it or not: being locked tells nothing about who exists. An attempt is counted
before the password is looked at and taken back when it was right, so many at once do not get more tries.
"""

from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select

from soc_model.person import name_key
from soc_store.state_tables import login_failure

MINUTE_US = 60_000_000
WINDOW_US = 15 * MINUTE_US
LOCKED_US = 15 * MINUTE_US
NAME_TRIES = 5
ADDRESS_TRIES = 20


def name_subject(name: str) -> str:
    """What a name is counted under; of what somebody typed only a digest is kept."""
    return f"name:{sha256(name_key(name).encode('utf-8', 'surrogatepass')).hexdigest()}"


def address_subject(address: str) -> str:
    """What an address is counted under."""
    return f"address:{address}"


def locked_until(connection: Connection, subject: str, tries: int, now: int) -> int:
    """Until when nothing is tried: ``tries`` failures within a quarter of an hour lock for one; 0 when not locked."""
    query = (
        select(login_failure.c.at)
        .where(login_failure.c.subject == subject)
        .order_by(login_failure.c.at.desc(), login_failure.c.id.desc())
        .limit(tries)
    )
    times = list(connection.execute(query).scalars())
    if len(times) < tries or times[0] - times[-1] > WINDOW_US or times[0] + LOCKED_US <= now:
        return 0
    return int(times[0]) + LOCKED_US


def add_failure(connection: Connection, subject: str, now: int) -> int:
    """Count one more; gives its number. Those too old to matter are forgotten."""
    connection.execute(delete(login_failure).where(login_failure.c.at < now - WINDOW_US - LOCKED_US))
    done = connection.execute(insert(login_failure).values(subject=subject, at=now).returning(login_failure.c.id))
    return int(done.scalar_one())


def forget_failure(connection: Connection, number: int) -> None:
    """Take one back."""
    connection.execute(delete(login_failure).where(login_failure.c.id == number))


def forget_failures(connection: Connection, subject: str) -> None:
    """Forget all of a subject."""
    connection.execute(delete(login_failure).where(login_failure.c.subject == subject))
