"""Keys of other systems: shown once, kept as SHA-256, limited to a role, units and a time, and revocable."""

from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from soc_model.audit import Act
from soc_model.person import Actor, ApiKey, checked_name
from soc_model.problem import Problem
from soc_model.right import KEY_ROLES, Role
from soc_store.audit import write_act
from soc_store.person_rows import units_of, units_text
from soc_store.state_database import writing
from soc_store.state_tables import api_key

HOUR_US = 3_600_000_000


class ApiKeys:
    """The keys of a state database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def make(self, token_sha256: str, wanted: ApiKey, by: Actor, now: int) -> ApiKey:
        """Keep a new key (``wanted.id`` is not looked at); raises Problem for a role or name it cannot have."""
        if wanted.role not in KEY_ROLES:
            raise Problem("role", f"a key has one of {', '.join(sorted(KEY_ROLES))}")
        name, units = checked_name(wanted.name), units_text(wanted.units)
        values = {
            "name": name,
            "prefix": wanted.prefix,
            "token_sha256": token_sha256,
            "role": wanted.role.value,
            "units": units,
            "created": now,
            "created_by": by.name,
            "expires": wanted.expires,
        }
        with writing(self._engine) as connection:
            made = connection.execute(insert(api_key).values(values).returning(api_key.c.id)).scalar_one()
            detail = {"role": wanted.role.value, "units": units or "*", "prefix": wanted.prefix}
            write_act(connection, Act.KEY_MADE, by, name, now, **detail)
            return _one(connection, made)

    def all(self) -> list[ApiKey]:
        """Every key there ever was, the newest first."""
        with self._engine.begin() as connection:
            rows = connection.execute(select(api_key).order_by(api_key.c.id.desc())).mappings()
            return [_key(row) for row in rows]

    def valid(self, token_sha256: str, now: int) -> ApiKey | None:
        """The key of a token, unless it is revoked or expired; that it was used is noted once an hour."""
        good = (api_key.c.token_sha256 == token_sha256, api_key.c.revoked.is_(None), api_key.c.expires > now)
        with self._engine.begin() as connection:
            row: Any = connection.execute(select(api_key).where(*good)).mappings().first()
        if row is None:
            return None
        hour = now - now % HOUR_US
        if row["last_used"] != hour:
            with writing(self._engine) as connection:
                connection.execute(update(api_key).where(api_key.c.id == row["id"]).values(last_used=hour))
        return _key(row)

    def revoke(self, key_id: int, by: Actor, now: int) -> ApiKey:
        """The key, which no longer works; raises Problem when there is none."""
        with writing(self._engine) as connection:
            found = _one(connection, key_id)
            if found.revoked is None:
                connection.execute(update(api_key).where(api_key.c.id == key_id).values(revoked=now))
                write_act(connection, Act.KEY_REVOKED, by, found.name, now, prefix=found.prefix)
            return _one(connection, key_id)


def _one(connection: Connection, key_id: int) -> ApiKey:
    row = connection.execute(select(api_key).where(api_key.c.id == key_id)).mappings().first()
    if row is None:
        raise Problem("key", "there is no such key")
    return _key(row)


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        role=Role(row["role"]),
        units=units_of(row["units"]),
        created=row["created"],
        created_by=row["created_by"],
        expires=row["expires"],
        revoked=row["revoked"],
        last_used=row["last_used"],
    )
