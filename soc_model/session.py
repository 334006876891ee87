"""A signed-in person, or a system with its key: who, with which roles, seeing which units, until when."""

import msgspec

from soc_model.layer import Realm
from soc_model.right import KEY_RIGHTS, Right, Role, rights_of
from soc_model.scope import Scope


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session; the token itself is never kept, only its SHA-256.

    ``idle_us`` is how long it lives unused (0: until ``expires``). ``person_id`` is 0 for the evaluation session;
    ``key_id`` is not 0 for a system that came with its key.
    """

    person: str
    roles: frozenset[Role]
    units: frozenset[str] | None
    created: int
    expires: int
    person_id: int = 0
    key_id: int = 0
    idle_us: int = 0
    address: str = ""
    agent: str = ""

    @property
    def rights(self) -> frozenset[Right]:
        """What this person may do: their own session always; a key never more than ``KEY_RIGHTS``."""
        if self.key_id:
            return rights_of(self.roles) & KEY_RIGHTS
        return rights_of(self.roles) | {Right.SESSION_OWN}

    @property
    def scope(self) -> Scope:
        """What this person may see: their units, in every realm."""
        return Scope(units=self.units, realms=frozenset(Realm))


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as its owner sees it in a list; ``id`` names it and opens nothing."""

    id: str
    created: int
    last_seen: int
    expires: int
    address: str
    agent: str
