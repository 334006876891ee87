"""A signed-in person: who, with which roles, seeing which units, until when."""

import msgspec

from soc_model.layer import Realm
from soc_model.right import Right, Role, rights_of
from soc_model.scope import Scope


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One person's session; the token itself is never kept, only its SHA-256."""

    person: str
    roles: frozenset[Role]
    units: frozenset[str] | None
    created: int
    expires: int

    @property
    def rights(self) -> frozenset[Right]:
        """What this person may do."""
        return rights_of(self.roles)

    @property
    def scope(self) -> Scope:
        """What this person may see: their units, in every realm."""
        return Scope(units=self.units, realms=frozenset(Realm))
